import MQTT
import Glibc
import Inventory

// A small legacy WMS: it appends transactions to a CP1252 file with semicolons and comma decimals, rotates it in the
// middle, and keeps its own ledger, which at the end must equal the stock that the subscriber saw.

package struct DemoWarehouse {
    package static let header = "txn_no;code;date;time;item;whse;bin;batch;qty;unit;order_no;text"

    let path: String
    private(set) var linesWritten = 0
    /// `unrestricted` in millionths by stock key.
    private(set) var ledger: [StockKey: Int64] = [:]
    private var generator = Jitter(seed: 20_261_123)

    init(path: String) { self.path = path }

    mutating func append(lines count: Int) throws {
        var text: [UInt8] = []
        if access(path, F_OK) != 0 { text += Array((Self.header + "\n").utf8) }
        for _ in 0..<count { text += nextLine() }
        try FileBytes.append(text, to: path)
    }

    /// As a rotator does: the old file gets another name, the next line begins a new one.
    func rotate() { rename(path, path + ".1") }

    private mutating func nextLine() -> [UInt8] {
        linesWritten += 1
        let item = 1000 + Int(generator.next() % 12)
        let bin = 1 + Int(generator.next() % 4)
        let key = StockKey(sku: "\(item)", location: "W1-B\(bin)")
        let held = ledger[key] ?? 0
        let millionths = Int64(1 + generator.next() % 40) * 500_000
        let isShipment = held >= millionths && generator.next() % 3 > 0
        ledger[key] = held + (isShipment ? -millionths : millionths)
        let quantity = "\(millionths / 1_000_000),\(millionths % 1_000_000 == 0 ? "0" : "5")"
        let code = isShipment ? "SH" : "RC"
        let second = linesWritten % 60
        let time = "0914" + (second < 10 ? "0\(second)" : "\(second)")
        let line =
            "TXN-\(90_000 + linesWritten);\(code);20261123;\(time);\(item);W1;B\(bin);;\(quantity);ST;SO-\(linesWritten / 4);"
        // "Stück, groß" as CP1252 writes it.
        return Array(line.utf8) + [0x53, 0x74, 0xFC, 0x63, 0x6B, 0x2C, 0x20, 0x67, 0x72, 0x6F, 0xDF, 0x0A]
    }
}
