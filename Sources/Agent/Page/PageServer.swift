import Delivery
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// Serves the page, the metrics and the health at a TCP address; what keeps it from listening is told as a reason of health
/// and tried again, and never keeps the agent from starting.
final class PageServer {
    private let isStopping = StopFlag()
    private let hasEnded = StopFlag()
    private let running = RunningServices()
    private let executor: EventLoopExecutor

    private final class RunningServices: Sendable {
        private let group = Mutex<ServiceGroup?>(nil)

        /// Returns when they ended, with what went wrong.
        func run(_ services: ServiceGroup) async -> (any Error)? {
            group.withLock { $0 = services }
            do { try await services.run() } catch { return error }
            return nil
        }

        func end() async { await group.withLock { $0 }?.triggerGracefulShutdown() }
    }

    private static let secondsBetween = 30
    private static let mostConnections = 32

    init(at address: PageAddress, desk: ControlDesk, group: any EventLoopGroup, logger: Logger) {
        let loop = group.next()
        executor = EventLoopExecutor(loop)
        let server = Server(address: address, desk: desk, group: group, loop: loop, logger: logger)
        let (isStopping, hasEnded, running) = (self.isStopping, self.hasEnded, self.running)
        Task(executorPreference: executor) { await server.serve(running, isStopping, hasEnded) }
    }

    private struct Server: Sendable {
        let address: PageAddress
        let desk: ControlDesk
        let group: any EventLoopGroup
        let loop: any EventLoop
        let logger: Logger

        func serve(_ running: RunningServices, _ isStopping: StopFlag, _ hasEnded: StopFlag) async {
            while !isStopping.isSet {
                do {
                    try await tryListening()
                    let services = PageServer.services(at: address, desk: desk, group: group, logger: logger)
                    if let error = await running.run(services) { throw error }
                } catch {
                    desk.report.page("the page cannot be served at \(address): \(error)")
                }
                await PageServer.pause(loop, isStopping)
            }
            hasEnded.set()
        }

        /// Throws what would keep the services from listening: they tell it only when the shared pool has a thread free.
        private func tryListening() async throws {
            let listener = try await ServerBootstrap(group: group)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: address.host, port: address.port).get()
            try await listener.close()
        }
    }

    private static func pause(_ loop: any EventLoop, _ isStopping: StopFlag) async {
        for _ in 0..<secondsBetween where !isStopping.isSet {
            try? await loop.scheduleTask(in: .seconds(1)) {}.futureResult.get()
        }
    }

    private static func services(
        at address: PageAddress, desk: ControlDesk, group: any EventLoopGroup, logger: Logger
    ) -> ServiceGroup {
        let router = Router(context: ControlContext.self)
        router.add(middleware: AddressedHosts())
        LookingRoutes.add(to: router, desk)
        // Whoever holds connections open holds up the page, not the agent: its descriptors are for the WMS's files.
        let application = Application(
            router: router, server: .http1(configuration: .init(idleTimeout: .seconds(30))),
            configuration: ApplicationConfiguration(
                address: .hostname(address.host, port: address.port), serverName: "waybill",
                availableConnectionsDelegate: MaximumAvailableConnections(mostConnections)),
            onServerRunning: { _ in desk.report.page(nil) }, eventLoopGroupProvider: .shared(group), logger: logger)
        return ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [.init(service: application)], logger: logger))
    }

    /// Lets nobody in any more and ends what is being answered; within 2 s.
    func stop() {
        isStopping.set()
        Task(executorPreference: executor) { [running] in await running.end() }
        hasEnded.wait(milliseconds: 2_000)
    }
}

/// A host and a port, as `http.listen` names them: `127.0.0.1:8321`, `[::1]:8321`.
package struct PageAddress: Sendable, Equatable, CustomStringConvertible {
    package let host: String
    package let port: Int

    /// Nil for what is none.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65_535).contains(port)
        else { return nil }
        let name = text[..<colon]
        let isBracketed = name.hasPrefix("[") && name.hasSuffix("]")
        guard !name.isEmpty, isBracketed || !name.contains(":") else { return nil }
        host = isBracketed ? String(name.dropFirst().dropLast()) : String(name)
        self.port = port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Nobody on another machine can reach it.
    var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }
}
