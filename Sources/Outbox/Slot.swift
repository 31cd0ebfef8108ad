import Inventory

/// Where an event stands: epoch ordinal from 1, lane, sequence from 1.
struct Slot: Equatable {
    let epoch: Int64
    let lane: Lane
    let sequence: Int64

    static let lastSequence: Int64 = (1 << 44) - 1

    init(epoch: Int64, lane: Lane, sequence: Int64) {
        precondition((1..<(1 << 15)).contains(epoch) && (0...Self.lastSequence).contains(sequence))
        self.epoch = epoch
        self.lane = lane
        self.sequence = sequence
    }

    init(packed: Int64) {
        epoch = packed >> 48
        lane = Lane(rawValue: UInt8((packed >> 44) & 0xF)) ?? .bulk
        sequence = packed & Self.lastSequence
    }

    var packed: Int64 { epoch << 48 | Int64(lane.rawValue) << 44 | sequence }
}
