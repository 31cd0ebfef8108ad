import Delivery

/// Metrics in the text form of Prometheus (exposition format 0.0.4): base units, moments instead of ages, labels of few values.
struct MetricsText {
    private(set) var text = ""

    typealias Labels = [(String, String)]
    typealias Sample = (labels: Labels, value: Double)

    /// Nothing is said of a family without samples.
    mutating func family(_ name: String, _ type: String, _ help: String, _ samples: [Sample]) {
        guard !samples.isEmpty else { return }
        head(name, type, help)
        for (labels, value) in samples { line(name, labels, value) }
    }

    mutating func value(_ name: String, _ help: String, _ value: Double, type: String = "gauge") {
        family(name, type, help, [([], value)])
    }

    mutating func histogram(_ name: String, _ help: String, _ samples: [(labels: Labels, value: DurationHistogram)]) {
        head(name, "histogram", help)
        for (labels, histogram) in samples {
            var count: Int64 = 0
            for (index, bound) in DurationHistogram.bounds.enumerated() {
                count += histogram.counts[index]
                line("\(name)_bucket", labels + [("le", Self.number(Double(bound) / 1_000))], Double(count))
            }
            line("\(name)_bucket", labels + [("le", "+Inf")], Double(histogram.count))
            line("\(name)_sum", labels, Double(histogram.sumMilliseconds) / 1_000)
            line("\(name)_count", labels, Double(histogram.count))
        }
    }

    private mutating func head(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private mutating func line(_ name: String, _ labels: Labels, _ value: Double) {
        text += name
        if !labels.isEmpty {
            let words = labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }.joined(separator: ",")
            text += "{\(words)}"
        }
        text += " \(Self.number(value))\n"
    }

    private static func escaped(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else { return text }
        return text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }
}
