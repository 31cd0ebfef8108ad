/// One step of a schema, named and never changed after its release.
package struct Migration: Sendable {
    package let name: String
    /// Rewrites existing rows: a backup is taken first.
    package let rewrites: Bool
    package let apply: @Sendable (Connection) throws -> Void

    package init(name: String, rewrites: Bool, apply: @escaping @Sendable (Connection) throws -> Void) {
        self.name = name
        self.rewrites = rewrites
        self.apply = apply
    }
}

/// The file was written by a newer program; it is left untouched.
package struct NewerSchemaError: Error, Sendable, CustomStringConvertible {
    package let found: Int
    package let known: Int
    package let writtenBy: String

    package var description: String {
        "the file has schema \(found), written by version \(writtenBy); this version knows schemas up to \(known). "
            + "Install version \(writtenBy) or later."
    }
}

/// Brings a file from the schema that it has to the newest, one transaction a step.
package struct Migrator: Sendable {
    private let migrations: [Migration]
    private let programVersion: String

    package init(_ migrations: [Migration], programVersion: String) {
        self.migrations = migrations
        self.programVersion = programVersion
    }

    package var schema: Int { migrations.count }

    /// Throws `NewerSchemaError` before it changes anything.
    package func migrate(_ connection: Connection, backupPath: String?) throws {
        let applied = try refuseNewer(connection)
        let pending = migrations[applied...]
        if applied > 0, pending.contains(where: \.rewrites), let backupPath {
            try connection.backup(to: backupPath)
        }
        for (index, migration) in zip(pending.indices, pending) {
            try apply(migration, number: index + 1, to: connection)
        }
    }

    /// Throws `NewerSchemaError` for a file of a newer program; else says how many migrations it has. Only reads: with a
    /// read-only connection the file and its log stay as they are, byte for byte.
    @discardableResult
    package func refuseNewer(_ connection: Connection) throws -> Int {
        let applied = try appliedCount(connection)
        if applied > migrations.count {
            let writer = try connection.text(
                "SELECT program_version FROM waybill_migrations ORDER BY number DESC LIMIT 1")
            throw NewerSchemaError(found: applied, known: migrations.count, writtenBy: writer ?? "unknown")
        }
        return applied
    }

    private func appliedCount(_ connection: Connection) throws -> Int {
        let exists = try connection.integer(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'waybill_migrations'")
        if exists == 0 { return 0 }
        return Int(try connection.integer("SELECT coalesce(max(number), 0) FROM waybill_migrations"))
    }

    private func apply(_ migration: Migration, number: Int, to connection: Connection) throws {
        try connection.transaction {
            try connection.execute(
                """
                CREATE TABLE IF NOT EXISTS waybill_migrations(
                    number INTEGER PRIMARY KEY, name TEXT NOT NULL, program_version TEXT NOT NULL)
                """)
            try migration.apply(connection)
            let insert = try connection.prepare("INSERT INTO waybill_migrations VALUES (?1, ?2, ?3)")
            insert.bind(1, Int64(number))
            insert.bind(2, text: migration.name)
            insert.bind(3, text: programVersion)
            try insert.run()
        }
    }
}
