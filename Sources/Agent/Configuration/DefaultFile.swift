import Ingest

/// The commented default configuration, as the description of its keys writes it.
package enum DefaultFile {
    package static var text: String {
        let sections = ConfigurationKeys.children(of: "").filter { !$0.isLater }.map(section)
        return ([introduction] + sections).joined(separator: "\n\n") + "\n"
    }

    private static let introduction = """
        # Waybill's configuration. Every key is optional but those marked "needed". After '# ' stands a default, after a '#' alone
        # an example.
        # Units are in the value: "250ms" "30s" "7d", "64KiB" "2GiB", "500/s". Relative paths are relative to this file.
        # Files conf.d/*.conf beside this one are read over it, in the order of their names: site settings go there.
        """

    private static func section(_ table: ConfigurationKey) -> String {
        let members = ConfigurationKeys.children(of: table.path).filter { !$0.isLater }
        var lines = [heading(table)]
        for key in members where !isSection(key) {
            if case .expression = key.kind, key.example.isEmpty { continue }
            lines.append(line(key))
        }
        let unnamed = members.filter { if case .expression = $0.kind { $0.example.isEmpty } else { false } }
        lines += wrapped(unnamed.map(\.name), after: "# more fields:")
        return ([lines.joined(separator: "\n")] + members.filter(isSection).map(section)).joined(separator: "\n\n")
    }

    private static func isSection(_ key: ConfigurationKey) -> Bool {
        if case .tables = key.kind { true } else { false }
    }

    private static func heading(_ table: ConfigurationKey) -> String {
        guard isSection(table) else { return "[\(table.path)]" }
        let heading = "#[[\(table.path)]]"
        return headings[table.path].map { padded(heading, width) + "# \($0)" } ?? heading
    }

    private static let width = 38
    private static let headings = [
        "master": "master data that the WMS exports; the file is read anew when a newer one stands still",
        "source.event": "the first rule whose `when` is true applies; all but type are SQL expressions",
        "source.ignore": "records that are knowingly not inventory",
    ]

    private static func line(_ key: ConfigurationKey) -> String {
        let setting = (key.example.isEmpty ? "# " : "#") + "\(key.name) = \(value(key))"
        guard !key.words.isEmpty else { return setting }
        return (setting.count < width ? padded(setting, width) : setting + "    ") + "# \(key.words)"
    }

    private static func value(_ key: ConfigurationKey) -> String {
        if !key.example.isEmpty { return key.example }
        if !key.fallback.isEmpty { return key.fallback }
        switch key.kind {
        case .table:
            let members = ConfigurationKeys.children(of: key.path).filter { !$0.isLater && !$0.fallback.isEmpty }
            let shown = members.filter { if case .flag = $0.kind { false } else { true } }
            return "{ " + shown.map { "\($0.name) = \($0.fallback)" }.joined(separator: ", ") + " }"
        case .pairs: return "{ }"
        default: return "\"…\""
        }
    }

    private static func wrapped(_ names: [String], after start: String) -> [String] {
        guard !names.isEmpty else { return [] }
        var lines = [start]
        for name in names {
            let last = lines[lines.count - 1]
            if last.count + name.count < 116 {
                lines[lines.count - 1] = "\(last) \(name)"
            } else {
                lines.append("#   \(name)")
            }
        }
        return lines
    }
}
