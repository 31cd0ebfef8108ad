import Inventory
import Outbox

/// All that the page shows.
struct PageContent {
    var status: StatusDocument
    var sources: [SourceDocument]
    var history: [LagSample]
    /// The oldest open ones.
    var rejects: [RejectDocument]
    var rejectCount: Int64
    /// Seconds after which the browser loads it anew; nil: never.
    var refresh: Int?
}

/// The local page: read-only, whole without scripts, fonts or anything from elsewhere.
struct Page {
    private let content: PageContent
    private let now: Timestamp
    private var status: StatusDocument { content.status }

    static let mostReasons = 15
    static let mostRejects = 10
    static let mostDone = 15
    private static let refreshSeconds = 15

    init(_ content: PageContent) {
        self.content = content
        now = Timestamp(rfc3339: content.status.at) ?? Timestamp(milliseconds: 0)
    }

    var html: String {
        let name = "\(status.tenant)/\(status.site)"
        let refresh: Markup = content.refresh.map { "<meta http-equiv=\"refresh\" content=\"\($0)\">" } ?? ""
        let style = Markup(stringLiteral: PageStyle.text)
        let document: Markup = """
            <!doctype html><html lang="en"><head><meta charset="utf-8"><title>\(headline): \(name) – Waybill</title>
            <meta name="viewport" content="width=device-width,initial-scale=1">\(refresh)<style>\(style)</style></head><body>
            <a class="skip" href="#main">Skip to the content</a>
            <header><h1>\(name)</h1><p class="dim">As of \(local(status.at)). \(refreshLink)</p></header>
            <main id="main">\(health)\(broker)\(lanes)\(sources)\(rejects)\(done)</main>
            <footer class="dim">Waybill \(status.version), pid \(status.pid), started \(time(status.startedAt)), epoch
            \(status.epoch), \(status.process.residentBytes >> 20) MiB resident. This page changes nothing; commands do:
            <code>waybill --help</code></footer></body></html>

            """
        return document.html
    }

    // MARK: parts

    private var headline: String { status.reasons.isEmpty ? "All is well" : "Needs attention" }

    private var refreshLink: Markup {
        content.refresh == nil
            ? "<a href=\"?refresh=\(Self.refreshSeconds)\">Refresh every \(Self.refreshSeconds) s</a>"
            : "<a href=\"?\">Stop refreshing</a>"
    }

    private var health: Markup {
        guard !status.details.isEmpty else {
            return "<h2 id=\"health\">Health</h2><p class=\"ok\">All is well.</p>"
        }
        let reasons: [Markup] = status.details.prefix(Self.mostReasons).map { reason in
            """
            <li><strong>\(reason.words)</strong><br>since \(time(reason.since)); type <code>\(whole: reason.next)</code></li>

            """
        }
        let rest = status.details.count - reasons.count
        let more: Markup = rest > 0 ? "<p>And \(rest) more: <code>waybill status</code></p>" : ""
        let count = status.details.count == 1 ? "one thing" : "\(status.details.count) things"
        return """
            <h2 id="health">Health</h2><p class="bad">Needs attention: \(count).</p><ul class="reasons">\(reasons)</ul>\(more)

            """
    }

    private var broker: Markup {
        let state: Markup =
            status.isConnected ? "<span class=\"ok\">Connected</span>" : "<span class=\"bad\">Not connected</span>"
        let since: Markup = status.connectionSince.map { " since \(time($0))" } ?? ""
        let receipts: [Markup] = status.receipts.prefix(Self.mostReasons).map { receipt in
            let behind = receipt.behind.map { $0 == 0 ? "nothing" : "\($0) events" } ?? "an earlier epoch"
            return """
                <tr><td>\(receipt.requester)</td><td>\(receipt.lane)</td><td class="n">\(receipt.sequence)</td>
                <td>\(behind)</td><td>\(time(receipt.at))</td></tr>

                """
        }
        let confirmed: Markup =
            receipts.isEmpty
            ? "<p class=\"dim\">No consumer has confirmed anything yet.</p>"
            : table("What the centre confirmed", ["Consumer", "Lane", "#Up to", "Behind", "Said"], receipts)
        return "<h2 id=\"broker\">Broker</h2><p>\(state)\(since).</p>\(confirmed)"
    }

    private var lanes: Markup {
        "<h2 id=\"lanes\">Lanes, the last 24 hours</h2><div class=\"lanes\">\(status.lanes.map(lane))</div>"
    }

    private func lane(_ line: StatusDocument.LaneLine) -> Markup {
        guard let lane = Lane(name: line.name) else { return "" }
        let ages = LagChart(content.history, lane: lane, end: now) { $0.age }
        let backlogs = LagChart(content.history, lane: lane, end: now) { $0.backlog }
        let behind: Markup =
            line.oldestUnackedAt.map { "\(line.backlog) events wait, the oldest for \(age($0))" } ?? "nothing waits"
        return """
            <section class="lane" aria-label="Lane \(line.name)"><h3>\(line.name)</h3>
            <p>\(behind); \(line.acked) of \(line.head) acked.</p>
            \(chart("Event age", line.name, ages) { TimeWords.age(milliseconds: $0) })
            \(chart("Events waiting", line.name, backlogs) { "\($0)" })
            \(hours(line.name, ages, backlogs))</section>

            """
    }

    private func chart(_ title: String, _ lane: String, _ chart: LagChart, _ words: (Int64) -> String) -> Markup {
        let isKnown = chart.steps.contains { $0 != nil }
        let highest = isKnown ? "highest \(words(chart.highest))" : "nothing known yet"
        return """
            <div class="axis dim"><span>\(title)</span><span>\(highest)</span></div>
            <svg viewBox="0 -4 288 108" preserveAspectRatio="none" role="img" aria-label="\(title) of lane \(lane) over 24
            hours: \(highest)"><path d="\(Markup(stringLiteral: chart.path))"/></svg>
            <div class="axis dim" aria-hidden="true"><span>24 h ago</span><span>12 h</span><span>now</span></div>

            """
    }

    private func hours(_ lane: String, _ ages: LagChart, _ backlogs: LagChart) -> Markup {
        let backlogByHour = Dictionary(backlogs.hours.map { ($0.begin, $0.worst) }, uniquingKeysWith: max)
        let rows: [Markup] = ages.hours.map { hour in
            """
            <tr><td>\(Self.clock(hour.begin))</td><td class="n">\(TimeWords.age(milliseconds: hour.worst))</td>
            <td class="n">\(backlogByHour[hour.begin] ?? 0)</td></tr>

            """
        }
        let rowsTable = table("Lane \(lane) by hour", ["Hour from", "#Event age", "#Most waiting"], rows)
        return "<details><summary>By hour, as a table</summary>\(rowsTable)</details>"
    }

    private var sources: Markup {
        let rows: [Markup] = content.sources.map { source in
            let state: Markup =
                source.status == "ok" ? "<span class=\"ok\">ok</span>" : "<span class=\"bad\">\(source.status)</span>"
            let last: Markup =
                source.lastRecordAt.map { "<time datetime=\"\($0)\">\(age($0)) ago</time>" } ?? "none since the start"
            return """
                <tr><td>\(source.name)</td><td class="w">\(state)</td><td>\(last)</td><td>\(source.lastRecord ?? source.position ?? "–")</td>
                <td class="n">\(source.events)</td><td class="n">\(source.rejects)</td></tr>

                """
        }
        let found: Markup =
            rows.isEmpty
            ? "<p>No source is configured.</p>"
            : table(
                "Sources", ["Name", "Status", "Last record", "Stands at", "#Events since start", "#Open rejects"], rows)
        return "<h2 id=\"sources\">Sources</h2>\(found)"
    }

    private var rejects: Markup {
        guard content.rejectCount > 0 else { return "<h2 id=\"rejects\">Rejects</h2><p>None are open.</p>" }
        let rows: [Markup] = content.rejects.map { reject in
            """
            <tr><td class="n">\(reject.id)</td><td>\(reject.source)</td><td>\(time(reject.at))</td><td>\(reject.position)</td>
            <td class="w">\(reject.code): \(reject.message)</td></tr>

            """
        }
        return """
            <h2 id="rejects">Rejects</h2><p>\(content.rejectCount) open; the oldest \(rows.count):
            <code>waybill rejects list</code></p>
            \(table("The oldest open rejects", ["#No.", "Source", "Since", "At", "Reason"], rows))

            """
    }

    private var done: Markup {
        let rows: [Markup] = status.done.prefix(Self.mostDone).map { entry in
            """
            <tr><td>\(time(entry.at))</td><td>\(entry.actor)</td><td>\(entry.action)</td><td class="w">\(entry.subject)</td>
            <td>\(entry.outcome)</td></tr>

            """
        }
        let found: Markup =
            rows.isEmpty ? "<p>Nothing.</p>" : table("Repairs", ["When", "Who", "What", "Of what", "Outcome"], rows)
        return "<h2 id=\"done\">Done in the last 24 hours</h2>\(found)"
    }

    // MARK: words

    /// A heading that begins with # is of a column of numbers.
    private func table(_ label: String, _ headings: [String], _ rows: [Markup]) -> Markup {
        let cells: [Markup] = headings.map { heading in
            heading.hasPrefix("#")
                ? "<th scope=\"col\" class=\"n\">\(String(heading.dropFirst()))</th>"
                : "<th scope=\"col\">\(heading)</th>"
        }
        return """
            <div class="table" role="region" tabindex="0" aria-label="\(label)"><table><thead><tr>\(cells)</tr></thead>
            <tbody>\(rows)</tbody></table></div>

            """
    }

    private func time(_ text: String) -> Markup {
        "<time datetime=\"\(text)\">\(local(text))</time> (\(age(text)) ago)"
    }

    private func local(_ text: String) -> String { TimeWords.local(text) }

    private func age(_ text: String) -> String { TimeWords.age(from: text, to: status.at) }

    private static func clock(_ moment: Timestamp) -> String {
        TimeWords.local(moment).split(separator: " ").dropFirst().first.map { String($0.prefix(5)) } ?? ""
    }
}
