import Inventory
import SQLite

// The journal's tables.
//
// An event's `slot` packs where it stands: epoch ordinal (15 bits), lane (4 bits), sequence (44 bits). So appending is
// appending, a lane's page is one range, and no second index is paid for. A lane's `kept` is what its acked events that
// are not pruned yet hold in bytes. Days count from 1970-01-01 UTC.
// A stock row's `touched` is when an event changed it last, in milliseconds.
// `marks` tell by the second how far a lane was acked (`who` is empty) and receipted.

enum Schema {
    static func migrator(programVersion: String) -> Migrator {
        Migrator(
            [
                Migration(name: "journal", rewrites: false) { try $0.execute(journal) },
                Migration(name: "contract", rewrites: false) { connection in
                    try connection.execute(contract)
                    try fillLeaves(connection)
                },
                Migration(name: "history", rewrites: false) { try $0.execute(history) },
                Migration(name: "touched", rewrites: false) {
                    try $0.execute("ALTER TABLE stock ADD COLUMN touched INTEGER NOT NULL DEFAULT 0")
                },
            ], programVersion: programVersion)
    }

    private static let journal = """
        CREATE TABLE epochs(ordinal INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, reason TEXT NOT NULL);
        CREATE TABLE lanes(lane INTEGER NOT NULL, epoch INTEGER NOT NULL, head INTEGER NOT NULL, acked INTEGER NOT NULL,
            kept INTEGER NOT NULL, PRIMARY KEY(epoch, lane)) WITHOUT ROWID;
        CREATE TABLE captures(id INTEGER PRIMARY KEY, source TEXT NOT NULL, at INTEGER NOT NULL, position TEXT NOT NULL);
        CREATE TABLE events(slot INTEGER PRIMARY KEY, capture INTEGER NOT NULL, id BLOB NOT NULL, payload BLOB NOT NULL);
        CREATE TABLE checkpoints(source TEXT PRIMARY KEY, kind TEXT NOT NULL, text TEXT NOT NULL, position TEXT NOT NULL)
            WITHOUT ROWID;
        CREATE TABLE stock(sku TEXT NOT NULL, location TEXT NOT NULL, lot TEXT NOT NULL, owner TEXT NOT NULL,
            unrestricted INTEGER, quarantined INTEGER, damaged INTEGER, blocked INTEGER, allocated INTEGER,
            in_transit INTEGER, version INTEGER NOT NULL, PRIMARY KEY(sku, location, lot, owner)) WITHOUT ROWID;
        CREATE TABLE sources(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, horizon INTEGER NOT NULL,
            swept INTEGER NOT NULL);
        CREATE TABLE seen(source INTEGER NOT NULL, key BLOB NOT NULL, day INTEGER NOT NULL, record INTEGER NOT NULL,
            PRIMARY KEY(source, key)) WITHOUT ROWID;
        CREATE TABLE seen_days(source INTEGER NOT NULL, day INTEGER NOT NULL, count INTEGER NOT NULL,
            PRIMARY KEY(source, day)) WITHOUT ROWID;
        CREATE TABLE rejects(id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, at INTEGER NOT NULL,
            position TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, identity TEXT NOT NULL,
            bytes BLOB NOT NULL);
        CREATE INDEX rejects_of_source ON rejects(source);
        CREATE TABLE dead_letters(slot INTEGER PRIMARY KEY, reason TEXT NOT NULL, payload BLOB NOT NULL);
        CREATE TABLE facts(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        """

    private static let contract = """
        ALTER TABLE stock ADD COLUMN leaf INTEGER;
        CREATE INDEX stock_of_leaf ON stock(leaf);
        CREATE TABLE marks(epoch INTEGER NOT NULL, lane INTEGER NOT NULL, who TEXT NOT NULL, second INTEGER NOT NULL,
            sequence INTEGER NOT NULL, PRIMARY KEY(epoch, lane, who, second)) WITHOUT ROWID;
        CREATE INDEX marks_of_sequence ON marks(epoch, lane, who, sequence);
        CREATE TABLE receipts(requester TEXT NOT NULL, epoch INTEGER NOT NULL, lane INTEGER NOT NULL,
            sequence INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(requester, epoch, lane)) WITHOUT ROWID;
        CREATE TABLE commands(number INTEGER PRIMARY KEY AUTOINCREMENT, requester TEXT NOT NULL, id TEXT NOT NULL,
            verb TEXT NOT NULL, at INTEGER NOT NULL, reply BLOB, UNIQUE(requester, id));
        CREATE TABLE audit(id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, actor TEXT NOT NULL,
            action TEXT NOT NULL, subject TEXT NOT NULL, outcome TEXT NOT NULL);
        """

    private static let history = """
        CREATE TABLE history(at INTEGER NOT NULL, lane INTEGER NOT NULL, backlog INTEGER NOT NULL,
            age INTEGER NOT NULL, PRIMARY KEY(at, lane)) WITHOUT ROWID;
        """

    private static func fillLeaves(_ connection: Connection) throws {
        try connection.register("waybill_leaf", argumentCount: 4, deterministic: true) { call in
            let fields = (0..<4).map { call.text($0) ?? "" }
            let key = StockKey(sku: fields[0], location: fields[1], lot: fields[2], owner: fields[3])
            call.result(integer: Int64(key.leaf))
        }
        try connection.execute("UPDATE stock SET leaf = waybill_leaf(sku, location, lot, owner)")
    }
}
