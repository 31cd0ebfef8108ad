import MQTT
import Agent

/// An export of 12 columns and about 109 bytes a line, as a WMS would write it; always the same for the same count.
struct Export {
    let path: String
    private var generator = Jitter(seed: 7)
    private var count = 0

    init(path: String) throws {
        self.path = path
        try FileBytes.append(Array((DemoWarehouse.header + "\n").utf8), to: path)
    }

    mutating func append(lines: Int) throws {
        var left = lines
        while left > 0 {
            let step = min(left, 10_000)
            var text: [UInt8] = []
            text.reserveCapacity(step * 112)
            for _ in 0..<step { nextLine(&text) }
            try FileBytes.append(text, to: path)
            left -= step
        }
    }

    /// Receipts only, so that all events share a lane and arrive in the order of the lines.
    private mutating func nextLine(_ text: inout [UInt8]) {
        count += 1
        let random = generator.next()
        let item = 100_000 + random % 5_000
        let bin = 10 + (random >> 16) % 4
        let quantity = 1 + (random >> 32) % 500
        let tail =
            ";W1;A-01-\(bin);L\(bin);\(quantity),5;EA;SO-\(1_000_000 + count / 4);moved by the night shift, aisle 7\n"
        text += Array("TXN-\(10_000_000 + count);RC;20261123;091405;\(item)".utf8) + Array(tail.utf8)
    }
}
