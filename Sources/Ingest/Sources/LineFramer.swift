/// Cuts bytes into lines at LF, without a CR before it; knows the offset of each.
enum LineFramer {
    struct Framed: Equatable {
        var lines: [RawLine] = []
        /// The first byte after the last whole line.
        var boundary: Int64
    }

    static func frame(_ bytes: [UInt8], at offset: Int64) -> Framed {
        var framed = Framed(boundary: offset)
        var start = 0
        while let end = bytes[start...].firstIndex(of: 0x0A) {
            let hasReturn = end > start && bytes[end - 1] == 0x0D
            let line = Array(bytes[start..<(hasReturn ? end - 1 : end)])
            framed.lines.append(RawLine(offset: offset + Int64(start), bytes: line))
            start = end + 1
        }
        framed.boundary = offset + Int64(start)
        return framed
    }
}
