import Inventory
import SQLite

/// Opens the journal's file, or begins one. A damaged file is set aside first; one that is begun after damage says so
/// of itself and has an epoch above those that the damaged files still tell.
struct Opening {
    let options: OutboxOptions
    let now: Timestamp

    private var files: FileSet { FileSet(directory: options.directory) }

    /// So many damaged files are asked for their epochs, the newest first.
    private static let mostAsides = 8

    struct Opened {
        let journal: Journal
        /// Where a damaged file went.
        let aside: String?
        /// No file was there before.
        let isNew: Bool
    }

    func open(above: [Epoch]) throws -> sending Opened {
        try files.tidy(now: now)
        let isNew = !files.isThere
        do { return Opened(journal: try journal(above: above), aside: nil, isNew: isNew) } catch let error
            as SQLiteError
            where error.isCorrupt
        {
            let aside = try files.setAside(now: now)
            return Opened(journal: try journal(above: above), aside: aside, isNew: true)
        }
    }

    private func journal(above: [Epoch]) throws -> sending Journal {
        if files.isThere {
            try Schema.migrator(programVersion: options.programVersion)
                .refuseNewer(try Connection(path: files.path, mode: .readOnly, vfs: options.vfs))
        }
        let (files, now) = (files, now)
        return try Journal(
            path: files.path, options: options, now: now,
            mintEpoch: {
                let known = files.asides.suffix(Self.mostAsides).compactMap {
                    Self.lastEpoch("\(files.directory)/\($0)")
                }
                return Epoch.mint(now: now, above: above + known, random: .random(in: 0...UInt16.max))
            }, mintInstance: { hexText(.random(in: 0...UInt64.max)) }, begunAfter: { files.asides.last })
    }

    /// The epoch of a damaged file, when that much of it can be read.
    private static func lastEpoch(_ path: String) -> Epoch? {
        guard let connection = try? Connection(path: path, mode: .readOnly) else { return nil }
        return (try? connection.text("SELECT max(text) FROM epochs")).flatMap { $0 }.flatMap { Epoch($0) }
    }
}
