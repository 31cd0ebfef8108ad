/// What a source hands to the outbox: the vocabulary that both know, since neither imports the other.

/// Where a source goes on reading; opaque text that only its own kind reads, at most 4 KiB.
package struct Checkpoint: Sendable, Equatable {
    package var kind: String
    package var text: String
    /// A shorter form for the beacon, at most 256 bytes.
    package var position: String

    package init(kind: String, text: String, position: String) {
        self.kind = kind
        self.text = text
        self.position = position
    }
}

/// The records of one source up to a checkpoint, in the source's order. They commit together or not at all.
package struct CaptureBatch: Sendable {
    package var source: String
    package var records: [CapturedRecord]
    /// The checkpoint after the last record; it may move without any record.
    package var checkpoint: Checkpoint

    package init(source: String, records: [CapturedRecord], checkpoint: Checkpoint) {
        self.source = source
        self.records = records
        self.checkpoint = checkpoint
    }
}

/// One record of the WMS and what became of it.
package struct CapturedRecord: Sendable {
    package var identity: RecordIdentity
    package var outcome: Outcome
    /// The record's bytes as read, kept until the commit so that a late reject can store them.
    package var bytes: ArraySlice<UInt8>
    package var position: RecordPosition

    package init(identity: RecordIdentity, outcome: Outcome, bytes: ArraySlice<UInt8>, position: RecordPosition) {
        self.identity = identity
        self.outcome = outcome
        self.bytes = bytes
        self.position = position
    }

    package enum Outcome: Sendable {
        case events([EventDraft])
        case reject(RejectReason)
        /// Knowingly not inventory, by the n-th `[[source.ignore]]` rule.
        case ignored(rule: Int)
    }
}

package struct RejectReason: Sendable, Equatable {
    /// A short constant such as `unmapped`, `quantity`, `encoding`, `too_long`, `overflow`.
    package var code: String
    package var message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }
}

/// Where a record stands, for people: an object, such as a file's name, and a place in it.
package struct RecordPosition: Sendable, Equatable, CustomStringConvertible {
    package var object: String
    package var offset: Int64

    package init(object: String, offset: Int64) {
        self.object = object
        self.offset = offset
    }

    package var description: String { "\(object):\(offset)" }

    /// Reads what `description` gave; an object may hold colons. Offset 0 where there is none.
    package init(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let number = parts.count > 1 ? parts.last.flatMap { Int64($0) } : nil
        object = number == nil ? text : parts.dropLast().joined(separator: ":")
        offset = number ?? 0
    }
}

/// Something that a source does not read before somebody accepts or rejects it.
package struct SourceHoldNote: Sendable, Equatable {
    /// Names this very content; a word about another one does not count.
    package var id: String
    package var reason: String

    package init(id: String, reason: String) {
        self.id = id
        self.reason = reason
    }
}

/// What a technician said to a held content.
package struct HoldDecision: Sendable, Equatable {
    package var id: String
    package var isAccepted: Bool

    package init(id: String, isAccepted: Bool) {
        self.id = id
        self.isAccepted = isAccepted
    }
}

/// The last full export is to be held against the stock again, as it is now.
package struct ReconcileRequest: Sendable, Equatable {
    /// When it was asked for; a source answers each once.
    package var at: Timestamp
    /// What differs becomes what the export says.
    package var isFix: Bool

    package init(at: Timestamp, isFix: Bool) {
        self.at = at
        self.isFix = isFix
    }
}
