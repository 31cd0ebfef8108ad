import SQLite

// The journal's tables.
//
// An event's `slot` packs where it stands: epoch ordinal (15 bits), lane (4 bits), sequence (44 bits). So appending is
// appending, a lane's page is one range, and no second index is paid for. A lane's `kept` is what its acked events that
// are not pruned yet hold in bytes. Days count from 1970-01-01 UTC.

enum Schema {
    static func migrator(programVersion: String) -> Migrator {
        Migrator(
            [Migration(name: "journal", rewrites: false) { try $0.execute(journal) }], programVersion: programVersion)
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
}
