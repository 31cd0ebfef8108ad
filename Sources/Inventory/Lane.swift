/// One of the three ordered streams of a site; each is one topic and one sequence space.
package enum Lane: UInt8, CaseIterable, Sendable, Comparable {
    case critical = 0
    case standard = 1
    case bulk = 2

    package var name: String {
        switch self {
        case .critical: "critical"
        case .standard: "standard"
        case .bulk: "bulk"
        }
    }

    package init?(name: String) {
        guard let lane = Lane.allCases.first(where: { $0.name == name }) else { return nil }
        self = lane
    }

    package static func < (a: Lane, b: Lane) -> Bool { a.rawValue < b.rawValue }
}

/// One value for each lane.
package struct ByLane<Value> {
    private var critical: Value
    private var standard: Value
    private var bulk: Value

    package init(_ value: (Lane) throws -> Value) rethrows {
        critical = try value(.critical)
        standard = try value(.standard)
        bulk = try value(.bulk)
    }

    package subscript(lane: Lane) -> Value {
        get {
            switch lane {
            case .critical: critical
            case .standard: standard
            case .bulk: bulk
            }
        }
        // In place: a copy of an array for each change of one element would cost more than all else.
        _modify {
            switch lane {
            case .critical: yield &critical
            case .standard: yield &standard
            case .bulk: yield &bulk
            }
        }
    }
}

extension ByLane: Sendable where Value: Sendable {}
extension ByLane: Equatable where Value: Equatable {}
