import SQLite

// The consumer's own file. `epochs` numbers each site's epochs; `lanes` holds the offsets, of the present epoch and of
// ended ones that are not made up yet (`goal`: up to there). `stock` has each figure twice where that is needed: as the
// agent said it last, which the hash is over, and the last number it said (`known_…`) where it says null now. `touched` is
// the number of the snapshot after whose beginning a line was last seen.

enum ReceiverSchema {
    static func migrator(_ version: String) -> Migrator {
        Migrator([Migration(name: "receiver", rewrites: false) { try $0.execute(tables) }], programVersion: version)
    }

    private static let tables = """
        CREATE TABLE sites(id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, site TEXT NOT NULL, mark INTEGER NOT NULL,
            snapshot TEXT, scopes TEXT, retention INTEGER NOT NULL, beacon TEXT, UNIQUE(tenant, site));
        CREATE TABLE epochs(id INTEGER PRIMARY KEY, site INTEGER NOT NULL, text TEXT NOT NULL, UNIQUE(site, text));
        CREATE TABLE lanes(epoch INTEGER NOT NULL, lane INTEGER NOT NULL, last INTEGER NOT NULL, goal INTEGER,
            receipted INTEGER NOT NULL, PRIMARY KEY(epoch, lane)) WITHOUT ROWID;
        CREATE TABLE stock(site INTEGER NOT NULL, sku TEXT NOT NULL, location TEXT NOT NULL, lot TEXT NOT NULL,
            owner TEXT NOT NULL, epoch INTEGER NOT NULL, version INTEGER NOT NULL, leaf INTEGER NOT NULL,
            touched INTEGER NOT NULL, unrestricted INTEGER, quarantined INTEGER, damaged INTEGER, blocked INTEGER,
            allocated INTEGER, in_transit INTEGER, known_unrestricted INTEGER, known_quarantined INTEGER,
            known_damaged INTEGER, known_blocked INTEGER, known_allocated INTEGER, known_in_transit INTEGER,
            PRIMARY KEY(site, sku, location, lot, owner)) WITHOUT ROWID;
        CREATE INDEX stock_of_leaf ON stock(site, leaf);
        CREATE TABLE ids(epoch INTEGER NOT NULL, lane INTEGER NOT NULL, sequence INTEGER NOT NULL, id BLOB NOT NULL,
            record INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(epoch, lane, sequence)) WITHOUT ROWID;
        CREATE TABLE seen(site INTEGER NOT NULL, id BLOB NOT NULL, record INTEGER NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY(site, id)) WITHOUT ROWID;
        CREATE INDEX seen_by_age ON seen(at);
        CREATE TABLE events(number INTEGER PRIMARY KEY AUTOINCREMENT, site INTEGER NOT NULL, at INTEGER NOT NULL,
            payload BLOB NOT NULL);
        CREATE TABLE log(number INTEGER PRIMARY KEY AUTOINCREMENT, site INTEGER NOT NULL, at INTEGER NOT NULL,
            kind TEXT NOT NULL, lane TEXT, epoch TEXT, first INTEGER, last INTEGER, words TEXT NOT NULL);
        CREATE TABLE facts(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        """
}
