// What a snapshot is made of: its beginning, a `stock.level` for each key, its end. None of them has a place in a lane.

/// What a snapshot covers: all stock, or what a prefix or a leaf of the stock tree takes in.
package struct SnapshotScope: Sendable, Equatable {
    /// Prefixes; empty takes in all.
    package var sku = ""
    package var location = ""
    package var leaf: UInt16?

    package init(sku: String = "", location: String = "", leaf: UInt16? = nil) {
        self.sku = sku
        self.location = location
        self.leaf = leaf
    }

    package var isAll: Bool { sku.isEmpty && location.isEmpty && leaf == nil }

    package func contains(_ key: StockKey) -> Bool {
        key.sku.utf8.starts(with: sku.utf8) && key.location.utf8.starts(with: location.utf8)
            && (leaf.map { $0 == key.leaf } ?? true)
    }
}

package enum SnapshotEvent {
    package static let begin = "snapshot.begin.v1"
    package static let end = "snapshot.end.v1"
}

extension EventEncoder {
    /// `asof`: the lanes' heads in a commit before the first chunk is read.
    package mutating func encodeSnapshotBegin(
        _ snapshot: String, scope: SnapshotScope, epoch: Epoch, asof: ByLane<Int64>, now: Timestamp
    ) -> [UInt8] {
        beginSnapshotEvent(SnapshotEvent.begin, snapshot, epoch: epoch, text: snapshot, now: now)
        json.object("data") { json in
            Self.heads(asof, &json)
            json.member("sku", scope.sku)
            json.member("location", scope.location)
            json.member("leaf", scope.leaf.map { TreeNode.leaf($0).description })
        }
        json.close(UInt8(ascii: "}"))
        return [UInt8](json.written)
    }

    /// `keys` and `sum`: how many keys all chunks carried, and the sum of their lines' hashes.
    package mutating func encodeSnapshotEnd(
        _ snapshot: String, epoch: Epoch, asof: ByLane<Int64>, keys: Int64, sum: LineSum, now: Timestamp
    ) -> [UInt8] {
        beginSnapshotEvent(SnapshotEvent.end, snapshot, epoch: epoch, text: snapshot, now: now)
        json.object("data") { json in
            Self.heads(asof, &json)
            json.member("keys", number: keys)
            json.member("lines", sum.description)
        }
        json.close(UInt8(ascii: "}"))
        return [UInt8](json.written)
    }

    /// A key's whole line, at the version that it has.
    package mutating func encodeSnapshotLevel(
        _ line: BalanceLine, snapshot: String, epoch: Epoch, now: Timestamp, into bytes: inout [UInt8]
    ) {
        beginSnapshotEvent(
            EventType.level.wireName, snapshot, epoch: epoch,
            text: [line.key.sku, line.key.location, line.key.lot, line.key.owner, "\(line.balance.version)"]
                .joined(separator: "\u{1F}"), subject: line.key.sku, now: now)
        json.key("data")
        json.open(UInt8(ascii: "{"))
        json.object("sku") { $0.member("code", line.key.sku) }
        lines([line], subject: line.key.sku)
        json.close(UInt8(ascii: "}"))
        json.close(UInt8(ascii: "}"))
        bytes.append(contentsOf: json.written)
    }

    private mutating func beginSnapshotEvent(
        _ type: String, _ snapshot: String, epoch: Epoch, text: String, subject: String = "", now: Timestamp
    ) {
        let identity = RecordIdentity(
            text: "\(snapshot)\u{1F}\(type)\u{1F}\(text)", recordHash: Digest(sha256: [UInt8]()), isTracked: false)
        json.clear()
        json.open(UInt8(ascii: "{"))
        json.member("specversion", "1.0")
        json.member("epoch", epoch.text)
        json.member("snapshot", snapshot)
        json.member("id", EventID.derive(site: site, source: "agent", record: identity, type: .level, n: 0).id)
        source("agent")
        json.member("type", type)
        json.member("subject", subject)
        json.member("time", now)
        json.member("datacontenttype", "application/json")
        json.member("dataschema", "urn:waybill:schema:stock:1")
    }

    private static func heads(_ heads: ByLane<Int64>, _ json: inout JSONBytes) {
        json.object("asof") {
            $0.member("critical", number: heads[.critical])
            $0.member("standard", number: heads[.standard])
            $0.member("bulk", number: heads[.bulk])
        }
    }
}
