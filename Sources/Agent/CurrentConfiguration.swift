import Synchronization

/// The configuration that counts now; a reload replaces it. Safe from any thread.
final class CurrentConfiguration: Sendable {
    private let held: Mutex<(configuration: Configuration, generation: Int)>

    init(_ configuration: Configuration) { held = Mutex((configuration, 0)) }

    var value: Configuration { held.withLock { $0.configuration } }

    /// The sources are opened anew, by the same configuration.
    func reopenSources() { held.withLock { $0.generation += 1 } }

    /// With the number of reloads before it.
    var numbered: (configuration: Configuration, generation: Int) { held.withLock { $0 } }

    func replace(with configuration: Configuration) {
        held.withLock { held in held = (configuration, held.generation + 1) }
    }
}
