/// Where a reader of record groups stands within them, by the names that its configuration gives.
package struct GroupState: Sendable, Equatable, Codable {
    /// By record type: the header at hand as the file has it, a character for each byte.
    var headers: [String: String] = [:]
    /// Types of headers that were there and could not be read: what follows would stand under the wrong one.
    var lostHeaders: [String] = []
    /// By trailer's record type: what there was since the last one.
    var tallies: [String: Tally] = [:]

    package init() {}

    struct Tally: Sendable, Equatable, Codable {
        var records = 0
        /// By record type.
        var counts: [String: Int] = [:]
        /// By detail column: millionths; empty where one was no number.
        var sums: [String: String] = [:]
    }

    static func text(_ bytes: some Sequence<UInt8>) -> String {
        String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }

    static func bytes(_ text: String) -> [UInt8] { text.unicodeScalars.compactMap { UInt8(exactly: $0.value) } }
}
