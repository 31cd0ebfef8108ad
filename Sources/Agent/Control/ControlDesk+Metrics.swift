import Delivery
import Inventory
import Outbox

// What monitoring reads. One short look at the outbox a lane; no event's payload is read whole.

extension ControlDesk {
    func metrics() throws -> String {
        let reader = try outbox.reader()
        let status = try status(reader)
        var metrics = MetricsText()
        health(status, &metrics)
        lanes(status, &metrics)
        durations(&metrics)
        sources(status, &metrics)
        try storage(&metrics)
        metrics.value(
            "waybill_process_cpu_seconds_total", "CPU time of the agent.", status.process.cpuSeconds, type: "counter")
        metrics.value(
            "waybill_process_resident_memory_bytes", "Resident memory of the agent.",
            Double(status.process.residentBytes))
        return metrics.text
    }

    private func health(_ status: StatusDocument, _ metrics: inout MetricsText) {
        metrics.family(
            "waybill_info", "gauge", "The agent, always 1.",
            [([("version", status.version), ("tenant", status.tenant), ("site", status.site)], 1)])
        metrics.value("waybill_start_timestamp_seconds", "When the agent started.", Self.seconds(startedAt))
        metrics.value(
            "waybill_metrics_timestamp_seconds", "When this text was made: tells a stale copy.",
            Self.seconds(status.at))
        metrics.value(
            "waybill_broker_connected", "1 while the broker answers and events may go out.", status.isConnected ? 1 : 0)
        metrics.value(
            "waybill_health_reasons", "What needs attention; 0 when all is well.", Double(status.reasons.count))
        let kinds = HealthReason.Kind.allCases.compactMap { kind in
            status.details.filter { $0.kind == kind.rawValue }.map { Self.seconds($0.since) }.min().map {
                ([("reason", kind.rawValue)], $0)
            }
        }
        metrics.family(
            "waybill_health_reason_since_timestamp_seconds", "gauge",
            "Since when there is a reason of this kind; absent while there is none.", kinds)
    }

    private func lanes(_ status: StatusDocument, _ metrics: inout MetricsText) {
        func samples(_ figure: (StatusDocument.LaneLine) -> Int64) -> [MetricsText.Sample] {
            status.lanes.map { ([("lane", $0.name)], Double(figure($0))) }
        }
        metrics.family(
            "waybill_lane_head_sequence", "gauge", "The highest sequence given in the present epoch.", samples(\.head))
        metrics.family(
            "waybill_lane_acked_sequence", "gauge", "All up to it are acked by the broker.", samples(\.acked))
        metrics.family(
            "waybill_lane_backlog_events", "gauge", "Events that the broker has not acked.", samples(\.backlog))
        metrics.family(
            "waybill_lane_oldest_unacked_timestamp_seconds", "gauge",
            "When the oldest event that the broker has not acked was captured; absent while there is none.",
            status.lanes.compactMap { lane in
                lane.oldestUnackedAt.map { ([("lane", lane.name)], Self.seconds($0)) }
            })
        metrics.family(
            "waybill_receipted_sequence", "gauge", "Up to which sequence a consumer said that it has a lane.",
            status.receipts.map { ([("requester", $0.requester), ("lane", $0.lane)], Double($0.sequence)) })
    }

    private func durations(_ metrics: inout MetricsText) {
        let figures = report.figures.snapshot
        func byLane(
            _ histograms: ByLane<DurationHistogram>
        ) -> [(labels: MetricsText.Labels, value: DurationHistogram)] {
            Lane.allCases.map { ([("lane", $0.name)], histograms[$0]) }
        }
        metrics.histogram(
            "waybill_capture_to_ack_seconds", "From the commit of an event to the broker's ack.",
            byLane(figures.captureToAck))
        metrics.histogram(
            "waybill_event_age_seconds", "From the WMS's own time of an event to the broker's ack.",
            byLane(figures.eventAge))
        metrics.histogram(
            "waybill_recovery_seconds", "From a refusal or a lost connection to the lane's next ack.",
            byLane(figures.recovery))
        metrics.histogram(
            "waybill_repair_seconds", "Replays and resyncs, from their begin to the last ack.",
            [([("kind", "replay")], figures.replays), ([("kind", "resync")], figures.resyncs)])
        metrics.histogram(
            "waybill_reject_resolution_seconds", "From a reject to its good retry or its removal.",
            [([], figures.rejectResolutions)])
        metrics.value(
            "waybill_stock_drift_leaves_total",
            "Parts of the stock that a consumer asked for one by one, since its own digest was another.",
            Double(figures.driftLeaves), type: "counter")
    }

    private func sources(_ status: StatusDocument, _ metrics: inout MetricsText) {
        metrics.family(
            "waybill_source_ok", "gauge", "1 while the source is read.",
            status.sources.map { ([("source", $0.name)], $0.status == "ok" ? 1 : 0) })
        metrics.family(
            "waybill_rejects_open", "gauge", "Records that became no event and wait for somebody.",
            status.sources.map { ([("source", $0.name)], Double($0.rejects)) })
        let progress = status.sources.map { ($0.name, report.progress(of: $0.name) ?? SourceProgress()) }
        metrics.family(
            "waybill_source_records_total", "counter", "Records that were captured, by what became of them.",
            progress.flatMap { name, progress in
                let counts = progress.counts
                return [("event", counts.events), ("ignored", counts.ignored), ("rejected", counts.rejected)].map {
                    ([("source", name), ("outcome", $0.0)], Double($0.1))
                }
            })
        metrics.family(
            "waybill_source_last_record_timestamp_seconds", "gauge",
            "When the source last gave a record; absent before the first since the start.",
            progress.compactMap { name, progress in
                progress.lastRecord.map { ([("source", name)], Self.seconds($0)) }
            })
    }

    private func storage(_ metrics: inout MetricsText) throws {
        metrics.family(
            "waybill_outbox_bytes", "gauge", "The outbox's files.",
            [
                ([("file", "database")], Double(Self.size(outbox.path))),
                ([("file", "write_ahead_log")], Double(Self.size(outbox.path + "-wal"))),
            ])
        metrics.value("waybill_outbox_limit_bytes", "Reading stops there.", Double(outbox.options.limitBytes))
        metrics.value(
            "waybill_outbox_disk_free_bytes", "What the outbox's filesystem has left.",
            Double(Outbox.freeBytes(outbox.options.directory)))
        metrics.value(
            "waybill_outbox_paused", "1 while nothing is read for want of room.", try outbox.room() == .open ? 0 : 1)
    }

    private static func seconds(_ moment: Timestamp) -> Double { Double(moment.milliseconds) / 1_000 }

    private static func seconds(_ text: String) -> Double { Timestamp(rfc3339: text).map(seconds) ?? 0 }
}
