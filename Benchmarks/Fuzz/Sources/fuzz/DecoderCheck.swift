import Ingest
import Inventory

/// Reads one file in three ways, and stops the program where they differ.
struct DecoderCheck: Sendable {
    let format: FormatDefinition

    /// Restarts and records read again: more would cost speed and find nothing else.
    private static let most = 24

    func run(_ file: [UInt8]) {
        let whole = read(file, isResumed: false)
        for item in whole { check(item, file) }
        for case .record(let record) in whole.prefix(Self.most) { checkRepeatable(record) }
        precondition(read(file, isResumed: true) == whole, "resumed at each boundary, other records come")
    }

    private func decoder(_ state: DecoderState?) -> any RecordDecoder {
        do { return try format.decoder(resuming: state) } catch { fatalError("\(error)") }
    }

    /// `isResumed`: with a fresh decoder after each of the first pieces, at what a checkpoint would keep; `isWhole`: the last one needs
    /// no line end.
    private func read(_ file: [UInt8], isResumed: Bool, isWhole: Bool = false) -> [DecodedItem] {
        var decoder = self.decoder(nil)
        var items: [DecodedItem] = []
        var start = 0
        var restarts = 0
        while start < file.count, let end = decoder.framing.end(of: file, from: start) ?? (isWhole ? file.count : nil) {
            let piece = decoder.framing.trimmed(file[start..<end])
            if let item = decoder.decode(RawLine(offset: Int64(start), bytes: piece)) { items.append(item) }
            start = end + decoder.framing.separator
            if let pending = decoder.pendingOffset {
                precondition(pending >= 0 && pending < start, "a record is open that did not begin")
            } else if isResumed, restarts < Self.most {
                restarts += 1
                decoder = self.decoder(decoder.state)
            }
        }
        return items
    }

    private func check(_ item: DecodedItem, _ file: [UInt8]) {
        switch item {
        case .notice: break
        case .reject(let offset, _, let reason):
            precondition(offset >= 0 && offset <= file.count && !reason.code.isEmpty, "a reject is nowhere")
        case .record(let record):
            precondition(record.offset >= 0 && record.offset < file.count, "a record is nowhere")
            precondition(String(validating: record.text, as: UTF8.self) != nil, "a text is no UTF-8")
            for field in record.fields where field != Record.absent {
                precondition(
                    field.lowerBound >= record.text.startIndex && field.upperBound <= record.text.endIndex,
                    "a field lies beyond its text")
                precondition(String(validating: record.text[field], as: UTF8.self) != nil, "a field cuts a character")
            }
        }
    }

    /// Under its headers a record says the same by itself; but for carriage returns, which a line loses each time.
    private func checkRepeatable(_ record: Record) {
        guard !record.context.isEmpty, !record.repeatable.contains(0x0D) else { return }
        guard case .record(let again)? = read(Array(record.repeatable), isResumed: false, isWhole: true).last else {
            fatalError("a record under its headers is no record by itself")
        }
        precondition(again.values == record.values, "a record under its headers says something else by itself")
    }
}

/// Every encoding, on bytes of any kind.
enum TextCheck {
    private static let decoders: [(name: String, text: TextDecoder)] = TextDecoder.encodings.map { name in
        do { return (name, try TextDecoder(encoding: name)) } catch { fatalError("\(error)") }
    }

    @Sendable static func run(_ bytes: [UInt8]) {
        guard let choice = bytes.first else { return }
        let (name, text) = decoders[Int(choice) % decoders.count]
        let line = bytes.dropFirst()
        guard let converted = text.convert(line) else { return }
        precondition(String(validating: converted, as: UTF8.self) != nil, "\(name) gave what is no UTF-8")
        guard !name.hasPrefix("utf") else { return }
        let half = line.startIndex + line.count / 2
        let parts = text.convert(line[..<half]).map(Array.init), rest = text.convert(line[half...]).map(Array.init)
        precondition((parts ?? []) + (rest ?? []) == Array(converted), "\(name) depends on where it is cut")
    }
}
