import FoundationEssentials
import Inventory
import Outbox

/// Metrics in the text form of Prometheus (exposition format 0.0.4): base units, moments instead of ages, labels of few values.
struct MetricsText {
    private(set) var text = ""

    typealias Sample = (labels: [(String, String)], value: Double)

    /// Nothing is said of a family without samples.
    mutating func family(_ name: String, _ type: String, _ help: String, _ samples: [Sample]) {
        guard !samples.isEmpty else { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
        for (labels, value) in samples {
            let words = labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }.joined(separator: ",")
            text += name + (words.isEmpty ? "" : "{\(words)}") + " \(Self.number(value))\n"
        }
    }

    mutating func value(_ name: String, _ help: String, _ value: Double, type: String = "gauge") {
        family(name, type, help, [([], value)])
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }
}

extension ControlDesk {
    /// What monitoring reads. One short look at the outbox a lane; no event's payload is read whole.
    func metrics() throws -> String {
        let status = try status()
        let reader = try outbox.reader()
        var metrics = MetricsText()
        metrics.family(
            "waybill_info", "gauge", "The agent, always 1.",
            [([("version", status.version), ("tenant", status.tenant), ("site", status.site)], 1)])
        let started = Timestamp(rfc3339: status.startedAt)?.milliseconds ?? 0
        metrics.value("waybill_start_timestamp_seconds", "When the agent started.", Double(started) / 1_000)
        metrics.value(
            "waybill_broker_connected", "1 while the broker answers and events may go out.", status.isConnected ? 1 : 0)
        metrics.value(
            "waybill_health_reasons", "What needs attention; 0 when all is well.", Double(status.reasons.count))
        func lanes(_ figure: (StatusDocument.LaneLine) -> Int64) -> [MetricsText.Sample] {
            status.lanes.map { ([("lane", $0.name)], Double(figure($0))) }
        }
        metrics.family(
            "waybill_lane_head_sequence", "gauge", "The highest sequence given in the present epoch.", lanes(\.head))
        metrics.family(
            "waybill_lane_acked_sequence", "gauge", "All up to it are acked by the broker.", lanes(\.acked))
        metrics.family(
            "waybill_lane_backlog_events", "gauge", "Events that the broker has not acked.", lanes(\.backlog))
        metrics.family(
            "waybill_lane_oldest_unacked_timestamp_seconds", "gauge",
            "When the oldest event that the broker has not acked was captured; absent while there is none.",
            try Lane.allCases.compactMap { lane in
                let acked = status.lanes.first { $0.name == lane.name }?.acked ?? 0
                return try reader.backlog(of: lane, after: acked).capturedAt.map {
                    ([("lane", lane.name)], Double($0.milliseconds) / 1_000)
                }
            })
        metrics.family(
            "waybill_receipted_sequence", "gauge", "Up to which sequence a consumer said that it has a lane.",
            status.receipts.map { ([("requester", $0.requester), ("lane", $0.lane)], Double($0.sequence)) })
        metrics.family(
            "waybill_source_ok", "gauge", "1 while the source is read.",
            status.sources.map { ([("source", $0.name)], $0.status == "ok" ? 1 : 0) })
        metrics.family(
            "waybill_rejects_open", "gauge", "Records that became no event and wait for somebody.",
            status.sources.map { ([("source", $0.name)], Double($0.rejects)) })
        metrics.family(
            "waybill_outbox_bytes", "gauge", "The outbox's files.",
            [
                ([("file", "database")], Double(Self.size(outbox.path))),
                ([("file", "write_ahead_log")], Double(Self.size(outbox.path + "-wal"))),
            ])
        metrics.value("waybill_outbox_limit_bytes", "Reading stops there.", Double(outbox.options.limitBytes))
        metrics.value(
            "waybill_outbox_paused", "1 while nothing is read for want of room.", try outbox.room() == .open ? 0 : 1)
        metrics.value(
            "process_cpu_seconds_total", "CPU time of the agent.", status.process.cpuSeconds, type: "counter")
        metrics.value(
            "process_resident_memory_bytes", "Resident memory of the agent.", Double(status.process.residentBytes))
        return metrics.text
    }
}
