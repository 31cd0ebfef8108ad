import Ingest
import Inventory

/// `[[master]]`: master data that mappings look things up in.
extension ConfigurationReader {
    func masters(_ tables: [ConfigurationTable]) -> [MasterDefinition] {
        var known: Set<String> = []
        return tables.map { table in
            let master = master(table)
            if !known.insert(master.name).inserted { table.wrong("name", "\"\(master.name)\" is there twice") }
            return master
        }
    }

    private func master(_ table: ConfigurationTable) -> MasterDefinition {
        let name = table.required("name")
        if !SiteIdentity.isName(name) { table.wrong("name", "wants letters, digits, '.', '_' and '-', at most 64") }
        let path = resolve(table.required("path"))
        if let problem = FilePattern.problem(in: path) { table.wrong("path", problem) }
        let isUnits = table.members["unit"] != nil
        let names = isUnits ? ["key", "unit", "numerator", "denominator"] : ["key", "value"]
        for key in ["value", "numerator", "denominator"] where !names.contains(key) && table.members[key] != nil {
            table.wrong(key, isUnits ? "does not go with unit" : "wants unit beside it")
        }
        let expressions = ["key", "value", "unit", "numerator", "denominator"].map { ($0, table.expression($0)) }
        for (key, expression) in expressions where names.contains(key) && expression == nil {
            table.problems.add(table.place, "\(table.full(key)) is missing")
        }
        let columns = expressions.compactMap { names.contains($0.0) ? $0.1 : nil }
        let format = format(table.table("format"))
        table.finish()
        return MasterDefinition(name: name, path: path, format: format, columns: columns, isUnits: isUnits)
    }

    /// A mapping reads what its expressions name, and the units that its source names.
    func useMasters(_ masters: [MasterDefinition], _ table: ConfigurationTable, _ mapping: inout MappingDefinition) {
        let expressions = mapping.rules.flatMap { $0.expressions.values } + mapping.ignores
        for master in masters where !master.isUnits && mapping.lookups[master.name] == nil {
            if expressions.contains(where: { $0.sql.contains("'\(master.name)'") }) { mapping.masters.append(master) }
        }
        guard let units = table.text("units") else { return }
        if let master = masters.first(where: { $0.name == units }) {
            if !master.isUnits {
                table.wrong("units", "[[master]] \"\(units)\" gives no units: it has value, not unit")
            }
            mapping.masters.append(master)
        } else {
            mapping.units = resolve(units)
        }
    }
}
