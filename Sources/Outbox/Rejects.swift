import Inventory
import SQLite

/// Reads and removes rejects.
enum Rejects {
    private static let columns = "id, source, at, position, code, message, identity, bytes"

    /// The oldest open ones after an id, of one source or of all.
    static func list(_ connection: Connection, source: String?, after id: Int64, limit: Int64) throws -> [StoredReject]
    {
        let select = try connection.prepare(
            """
            SELECT \(columns) FROM rejects WHERE id > ?1 AND (?3 IS NULL OR source = ?3) ORDER BY id LIMIT ?2
            """)
        select.bind(1, id)
        select.bind(2, limit)
        if let source { select.bind(3, text: source) } else { select.bindNull(3) }
        var rejects: [StoredReject] = []
        while try select.step() { rejects.append(row(select)) }
        return rejects
    }

    static func find(_ id: Int64, _ connection: Connection) throws -> StoredReject? {
        let select = try connection.prepare("SELECT \(columns) FROM rejects WHERE id = ?1")
        select.bind(1, id)
        return try select.step() ? row(select) : nil
    }

    static func count(_ connection: Connection, source: String?) throws -> Int64 {
        let text = "SELECT count(*) FROM rejects" + (source == nil ? "" : " WHERE source = ?1")
        let select = try connection.prepare(text)
        if let source { select.bind(1, text: source) }
        return try select.step() ? select.integer(0) : 0
    }

    /// How many of them there were.
    @discardableResult
    static func delete(_ ids: [Int64], _ journal: Journal) throws -> Int {
        let delete = try journal.connection.prepare("DELETE FROM rejects WHERE id = ?1")
        var count = 0
        for id in ids {
            delete.bind(1, id)
            try delete.run()
            count += journal.connection.changes
        }
        return count
    }

    static func delete(_ id: Int64, _ journal: Journal) throws { try delete([id], journal) }

    private static func row(_ select: Statement) -> StoredReject {
        StoredReject(
            id: select.integer(0), source: select.text(1) ?? "", at: Timestamp(milliseconds: select.integer(2)),
            position: select.text(3) ?? "",
            reason: RejectReason(code: select.text(4) ?? "", message: select.text(5) ?? ""),
            identity: select.text(6) ?? "", bytes: select.bytes(7))
    }
}
