import CLinux
import Glibc
import Ingest
import Inventory
import Outbox

/// What can be known of a configuration offline: mappings compile, files are there, how much a first start would read.
package struct ConfigurationCheck {
    private let configuration: Configuration

    package init(_ configuration: Configuration) { self.configuration = configuration }

    /// Lines for people; throws what keeps the agent from starting.
    package func run() throws -> [String] {
        var lines = configuration.unreadableCredentials.map { "warning: \($0); the service may read it" }
        lines += dataDirectory()
        if let page = configuration.page, !page.isLoopback {
            lines.append("warning: whoever reaches \(page) reads the page: SKUs, file names, who repaired what")
        }
        lines += ["site \(configuration.site.tenant)/\(configuration.site.site), shard \(configuration.site.shard)"]
        for source in configuration.sources {
            _ = try source.reader(
                site: configuration.site, rules: configuration.inventory, beginning: SourceBeginning())
            try Trial.compileAgainstFile(source, site: configuration.site, rules: configuration.inventory)
            lines.append("source \(source.name): \(size(source))")
            if Self.sharesFilesystem(source.path, configuration) {
                lines.append("warning: data_dir and \(source.path) share a filesystem; a full one stops both")
            }
        }
        lines.append("configuration is valid")
        return lines
    }

    /// The nearest directory that is there must let this user write; the agent makes the rest.
    private func dataDirectory() -> [String] {
        var directory = configuration.outbox.directory
        while access(directory, F_OK) != 0, directory.count > 1 {
            let parent = directory.split(separator: "/", omittingEmptySubsequences: false).dropLast()
            directory = parent.count <= 1 ? "/" : parent.joined(separator: "/")
        }
        if access(directory, W_OK) == 0 { return [] }
        return ["warning: data_dir \(configuration.outbox.directory): this user may not write to \(directory)"]
    }

    private func size(_ source: SourceDefinition) -> String {
        guard let first = FirstStart(source) else {
            return "\(source.path) is not there yet; the agent will wait for it"
        }
        if first.files == 0 { return "\(source.path): a first start reads nothing of what is there" }
        let files = first.files == 1 ? "" : " of \(first.files) files"
        return "\(source.path): a first start reads and publishes \(first.bytes) bytes\(files)"
    }

    static func sharesFilesystem(_ path: String, _ configuration: Configuration) -> Bool {
        var export = stat()
        var data = stat()
        return stat(path.directory, &export) == 0
            && stat(configuration.outbox.directory, &data) == 0
            && export.st_dev == data.st_dev
    }
}
