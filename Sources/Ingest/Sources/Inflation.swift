import CZlib

/// Expands what deflate packed (RFC 1951), in pieces of at most 64 KiB.
struct Inflation: ~Copyable {
    enum Wrapping { case none, gzip }

    enum End {
        case whole
        /// Ends early, or is not what it says.
        case damaged
        /// Whoever took the pieces wanted no more.
        case stopped
    }

    private let wrapping: Wrapping
    private let isReady: Bool
    /// It may not move: zlib keeps its address.
    private let stream: UnsafeMutablePointer<z_stream>
    private var isAtEnd = false

    private static let piece = 64 << 10

    /// The bytes of a file in `range`: one deflated stream, or members of gzip (RFC 1952) one after another, each with
    /// its checksum; zeros after the last one are padding. `body` says whether it wants more.
    static func run(
        _ file: TailFile, _ range: Range<Int64>, _ wrapping: Wrapping, _ body: (UnsafeRawBufferPointer) -> Bool
    ) -> End {
        var inflation = Inflation(wrapping)
        var offset = range.lowerBound
        while offset < range.upperBound {
            var input = file.read(at: offset, most: Int(min(Int64(piece), range.upperBound - offset)))
            guard !input.isEmpty else { return .damaged }
            offset += Int64(input.count)
            let end = inflation.take(&input, body)
            if end != .whole { return end }
        }
        return inflation.isAtEnd ? .whole : .damaged
    }

    private init(_ wrapping: Wrapping) {
        self.wrapping = wrapping
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let windowBits: Int32 = wrapping == .gzip ? 31 : -15
        isReady = inflateInit2_(stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// `.whole`: all of the input is used.
    private mutating func take(_ input: inout [UInt8], _ body: (UnsafeRawBufferPointer) -> Bool) -> End {
        guard isReady else { return .damaged }
        return input.withUnsafeMutableBufferPointer { bytes in
            stream.pointee.next_in = bytes.baseAddress
            stream.pointee.avail_in = UInt32(bytes.count)
            while stream.pointee.avail_in > 0 {
                if isAtEnd {
                    if isPadding(bytes) { return .whole }
                    guard wrapping == .gzip, inflateReset(stream) == Z_OK else { return .damaged }
                    isAtEnd = false
                }
                let end = expand(body)
                if end != .whole { return end }
            }
            return .whole
        }
    }

    private func isPadding(_ bytes: UnsafeMutableBufferPointer<UInt8>) -> Bool {
        wrapping == .gzip && bytes.suffix(Int(stream.pointee.avail_in)).allSatisfy { $0 == 0 }
    }

    private mutating func expand(_ body: (UnsafeRawBufferPointer) -> Bool) -> End {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.piece) { output in
            var code = Z_OK
            repeat {
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(Self.piece)
                code = inflate(stream, Z_NO_FLUSH)
                let isStuck = code == Z_BUF_ERROR && stream.pointee.avail_in > 0
                guard [Z_OK, Z_STREAM_END, Z_BUF_ERROR].contains(code), !isStuck else { return .damaged }
                let count = Self.piece - Int(stream.pointee.avail_out)
                if count > 0, !body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(output)[..<count])) {
                    return .stopped
                }
            } while code == Z_OK && stream.pointee.avail_out == 0
            isAtEnd = code == Z_STREAM_END
            return .whole
        }
    }
}
