import Contract
import Inventory
import MQTT
import Outbox

/// A replay or a snapshot under way, for a command or for a technician.
struct RepairJob {
    enum Work {
        case replay(ReplayJob)
        case snapshot(SnapshotJob)
    }

    enum Origin {
        case command(Command)
        case technician(order: Int64, actor: String, subject: String)
    }

    /// Where a technician's repair begins again after a lost connection.
    enum Place {
        case sequence(Int64)
        case snapshot(SnapshotJob)
    }

    let id: Int64
    let origin: Origin
    /// In monotonic milliseconds.
    let begunAt: Int64
    var work: Work
    private(set) var confirmed: Place?
    /// All of it went out; what is in flight of it may still be refused or lost.
    var isSent = false
    /// Connections lost in a row with a message of it in flight and none acked.
    private(set) var losses = 0
    /// So many, and it has failed: a broker that answers a message by closing would be asked for ever.
    static let mostLosses = 3

    init(id: Int64, origin: Origin, begunAt: Int64, work: Work) {
        self.id = id
        self.begunAt = begunAt
        self.origin = origin
        self.work = work
        confirmed = place
    }

    var isTechnicians: Bool { if case .technician = origin { true } else { false } }

    var place: Place {
        switch work {
        case .replay(let job): .sequence(job.next)
        case .snapshot(let job): .snapshot(job)
        }
    }

    mutating func confirm(_ place: Place) {
        confirmed = place
        losses = 0
    }

    /// The connection is lost: what was not acked goes again.
    mutating func rewind(hadInFlight: Bool) {
        isSent = false
        if hadInFlight { losses += 1 }
        switch (work, confirmed) {
        case (.replay(var job), .sequence(let sequence)):
            job.rewind(to: sequence)
            work = .replay(job)
        case (_, .snapshot(let job)): work = .snapshot(job)
        default: break
        }
    }

    var sent: Int64 {
        switch work {
        case .replay(let job): job.sent
        case .snapshot(let job): job.keys
        }
    }
}
