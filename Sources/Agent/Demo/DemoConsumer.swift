import FoundationEssentials
import Inventory
import MQTT
import Receiver
import Synchronization

/// The reference consumer in the demo: what arrives as rows, and its own file to compare.
final class DemoConsumer {
    private let options: ReceiverOptions
    private let arrived: Arrived
    private var receiver: Receiver?
    /// Log entries that were shown.
    private var shown = 0

    private final class Arrived: Sendable {
        let rows = Mutex<[String]>([])
        let ids = Mutex<[String: Int]>([:])
    }

    init(directory: String, port: UInt16) throws {
        var words = ReceiverWords()
        (words.broker, words.tenant, words.path, words.requester) =
            ("mqtt://127.0.0.1:\(port)", "demo", directory + "/received.sqlite", "ingest")
        var options = try words.options(programVersion: WaybillVersion.text)
        (options.mqtt.backoffMin, options.mqtt.backoffMax) = (50, 200)
        let arrived = Arrived()
        options.output = { payload in
            Self.note(payload, arrived)
            return true
        }
        self.options = options
        self.arrived = arrived
    }

    func start() throws {
        let receiver = try Receiver(options)
        receiver.start()
        self.receiver = receiver
    }

    func stop() {
        receiver?.stop()
        receiver = nil
    }

    var isSubscribed: Bool { receiver?.snapshot.isSubscribed ?? false }
    var counts: SiteCounts { receiver?.snapshot.counts["dc-1"] ?? SiteCounts() }
    /// Events that had their effect, and how many of them more than once.
    var effects: (events: Int, repeated: Int) {
        arrived.ids.withLock { ids in (ids.count, ids.values.filter { $0 > 1 }.count) }
    }

    func takeRows() -> [String] {
        arrived.rows.withLock { rows in
            defer { rows = [] }
            return rows
        }
    }

    /// What the receiver found missing or mended since the last call, in its words.
    func takeLog() -> [String] {
        guard let log = try? ReceiverView(path: options.path).log(site: nil, limit: 1_000) else { return [] }
        defer { shown = log.count }
        return log.reversed().dropFirst(shown).map { entry in
            let range = entry.first.map { " \($0)-\(entry.last ?? $0)" } ?? ""
            return "receiver: \(entry.kind)\(entry.lane.map { " \($0)" } ?? "")\(range): \(entry.words)"
        }
    }

    /// `unrestricted` in millionths by stock key.
    func stock() -> [StockKey: Int64?] {
        ((try? ReceiverView(path: options.path).balances(site: "dc-1")) ?? [:]).mapValues {
            $0.balance.stored(.unrestricted)
        }
    }

    private static func note(_ payload: [UInt8], _ arrived: Arrived) {
        guard let event = try? JSONDecoder().decode(Event.self, from: Data(payload)) else { return }
        arrived.ids.withLock { $0[event.id, default: 0] += 1 }
        let first = event.data.balances?.first
        let row =
            "\(padded(event.lane, 9)) \(padded(String(event.sequence.drop { $0 == "0" }), 5)) \(padded(event.type, 18)) "
            + "\(padded(event.subject ?? "-", 6)) \(padded(first?.location ?? "-", 7)) "
            + "\(padded(event.data.quantity?.value ?? "-", 6)) → \(first?.unrestricted ?? "-")"
        arrived.rows.withLock { $0.append(row) }
    }

    private struct Event: Decodable {
        struct Payload: Decodable {
            struct Amount: Decodable { var value: String? }
            struct Line: Decodable {
                var location: String?
                var unrestricted: String?
            }
            var quantity: Amount?
            var balances: [Line]?
        }
        var id: String
        var type: String
        var subject: String?
        var sequence: String
        var lane: String
        var data: Payload
    }
}
