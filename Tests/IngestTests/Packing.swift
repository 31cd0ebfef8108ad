import CZlib
import Testing

/// Archives, byte by byte, right ones and wrong ones.
enum Packing {
    static func deflated(_ bytes: [UInt8], windowBits: Int32 = -15) -> [UInt8] {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer {
            deflateEnd(stream)
            stream.deallocate()
        }
        let size = Int32(MemoryLayout<z_stream>.size)
        deflateInit2_(stream, 9, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
        var input = bytes
        var output = [UInt8](repeating: 0, count: Int(deflateBound(stream, UInt(bytes.count))))
        let count = input.withUnsafeMutableBufferPointer { from in
            output.withUnsafeMutableBufferPointer { into in
                stream.pointee.next_in = from.baseAddress
                stream.pointee.avail_in = UInt32(from.count)
                stream.pointee.next_out = into.baseAddress
                stream.pointee.avail_out = UInt32(into.count)
                deflate(stream, Z_FINISH)
                return into.count - Int(stream.pointee.avail_out)
            }
        }
        return Array(output.prefix(count))
    }

    static func gzip(_ bytes: [UInt8]) -> [UInt8] { deflated(bytes, windowBits: 31) }

    struct Member {
        var name = "moves.csv"
        var content: [UInt8] = []
        var method: UInt16 = 8
        var flags: UInt16 = 0
        /// What it says of itself, where that is not the truth.
        var size: UInt32?
        var packedSize: UInt32?
        var checksum: UInt32?
        /// With its sizes in a zip64 field.
        var isWide = false

        var packed: [UInt8] { method == 8 ? deflated(content) : content }
    }

    static func zip(_ members: [Member], comment: String = "", wideEnd: Bool = false) -> [UInt8] {
        var bytes: [UInt8] = []
        var directory: [UInt8] = []
        for member in members {
            let offset = UInt32(bytes.count)
            bytes += [0x50, 0x4B, 3, 4] + header(member) + little(UInt16(member.name.utf8.count)) + little(UInt16(0))
            bytes += Array(member.name.utf8) + member.packed
            let extra = member.isWide ? wideField(member) : []
            directory += [0x50, 0x4B, 1, 2] + little(UInt16(20)) + header(member)
            directory += little(UInt16(member.name.utf8.count)) + little(UInt16(extra.count)) + little(UInt16(0))
            directory += little(UInt16(0)) + little(UInt16(0)) + little(UInt32(0)) + little(offset)
            directory += Array(member.name.utf8) + extra
        }
        let start = UInt64(bytes.count)
        bytes += directory
        if wideEnd { bytes += wideEndRecord(members.count, start, UInt64(directory.count)) }
        let count = little(wideEnd ? .max : UInt16(members.count))
        bytes += [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + count + count
        bytes += little(wideEnd ? .max : UInt32(directory.count)) + little(wideEnd ? .max : UInt32(start))
        return bytes + little(UInt16(comment.utf8.count)) + Array(comment.utf8)
    }

    /// From the version to the sizes, as both headers have it.
    private static func header(_ member: Member) -> [UInt8] {
        let sum = member.checksum ?? UInt32(crc32(0, member.content, UInt32(member.content.count)))
        let packed = member.isWide ? .max : member.packedSize ?? UInt32(member.packed.count)
        let size = member.isWide ? .max : member.size ?? UInt32(member.content.count)
        return little(UInt16(20)) + little(member.flags) + little(member.method) + little(UInt32(0)) + little(sum)
            + little(packed) + little(size)
    }

    private static func wideField(_ member: Member) -> [UInt8] {
        little(UInt16(0x5455)) + little(UInt16(1)) + [0] + little(UInt16(1)) + little(UInt16(16))
            + little(UInt64(member.content.count)) + little(UInt64(member.packed.count))
    }

    private static func wideEndRecord(_ count: Int, _ start: UInt64, _ length: UInt64) -> [UInt8] {
        let record: [UInt8] =
            [0x50, 0x4B, 6, 6] + little(UInt64(44)) + little(UInt16(45)) + little(UInt16(45)) + little(UInt64(0))
            + little(UInt64(count)) + little(UInt64(count)) + little(length) + little(start)
        return record + [0x50, 0x4B, 6, 7] + little(UInt32(0)) + little(start + length) + little(UInt32(1))
    }

    private static func little(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}
