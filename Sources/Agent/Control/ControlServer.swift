import FoundationEssentials
import Glibc
import Hummingbird
import Inventory
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// HTTP over a unix socket, for this program's own commands and for `curl --unix-socket`.
final class ControlServer {
    private var socketPath: ControlSocketPath
    private let desk: ControlDesk
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let isListening = StopFlag()
    private let hasEnded = StopFlag()
    private let failure = FailureNote()
    private let services: ServiceGroup
    private let executor: EventLoopExecutor
    private var page: PageServer?

    private final class FailureNote: Sendable {
        let text = Mutex<String?>(nil)
    }

    /// Returns when the socket listens; throws `ControlError` otherwise.
    init(path: String, page: PageAddress?, desk: ControlDesk, logger: Logger) throws {
        socketPath = try ControlSocketPath(path)
        self.desk = desk
        var quiet = logger
        quiet.logLevel = .critical
        let application = Application(
            router: Self.router(desk),
            configuration: ApplicationConfiguration(address: .unixDomainSocket(path: path), serverName: "waybill"),
            onServerRunning: { [isListening] _ in isListening.set() },
            eventLoopGroupProvider: .shared(group), logger: quiet)
        services = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [.init(service: application)], logger: quiet))
        // On its own thread, so that a start never waits for the shared pool.
        executor = EventLoopExecutor(group.next())
        Task(executorPreference: executor) { [services, isListening, hasEnded, failure] in
            do { try await services.run() } catch {
                failure.text.withLock { $0 = "\(error)" }
            }
            hasEnded.set()
            isListening.set()
        }
        isListening.wait(milliseconds: 10_000)
        guard !hasEnded.isSet, isListening.isSet else {
            throw ControlError(
                "cannot listen at \(path): \(failure.text.withLock { $0 } ?? "no answer")",
                hint: "check [agent] control_socket and the rights of its directory")
        }
        socketPath.claim()
        self.page = page.map { PageServer(at: $0, desk: desk, group: group, logger: quiet) }
    }

    /// Lets nobody in any more and ends what is being answered; within 5 s.
    func stop() {
        // First, since a connection that comes while the server ends is lost to both sides.
        socketPath.release()
        page?.stop()
        Task(executorPreference: executor) { [services] in await services.triggerGracefulShutdown() }
        hasEnded.wait(milliseconds: 5_000)
        if hasEnded.isSet { group.shutdownGracefully { _ in } }
    }

    // MARK: routes

    private static func router(_ desk: ControlDesk) -> Router<ControlContext> {
        let router = Router(context: ControlContext.self)
        router.get("/v1/status") { _, _ in try answer(try desk.status()) }
        LookingRoutes.add(to: router, desk)
        router.get("/v1/outbox") { _, _ in try answer(try desk.outboxDocument()) }
        router.post("/v1/outbox/verify") { _, _ in
            try answer(try await NIOThreadPool.singleton.runIfActive { try desk.verify() })
        }
        router.get("/v1/rejects") { request, _ in
            let query = request.uri.queryParameters
            let after = query["after"].flatMap { Int64($0) } ?? 0
            let documents = try desk.rejects(source: query["source"].map { String($0) }, after: after)
            return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: try lines(documents))))
        }
        router.get("/v1/rejects/:id") { _, context in try answer(try desk.reject(try id(context))) }
        router.post("/v1/rejects/:id/retry") { request, context in
            let corrected = try await request.body.collect(upTo: 1 << 20)
            let isDryRun = request.uri.queryParameters["dry_run"] == "1"
            return try answer(
                try desk.retry(
                    try id(context), corrected: [UInt8](buffer: corrected), actor: await context.actor(),
                    isDryRun: isDryRun))
        }
        router.post("/v1/rejects/:id/discard") { _, context in
            try answer(try desk.discard(try id(context), actor: await context.actor()))
        }
        router.get("/v1/events") { request, _ in
            let query = request.uri.queryParameters
            guard let lane = Lane(name: query["lane"].map { String($0) } ?? "") else {
                return Response(status: .notFound)
            }
            let limit = min(512, max(1, query["limit"].flatMap { Int64($0) } ?? 50))
            let since = query["since"].flatMap { Timestamp(rfc3339: String($0)) }
            let lines = try desk.events(of: lane, since: since, limit: limit)
            return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: lines)))
        }
        addDoctor(to: router, desk)
        addSources(to: router, desk)
        addReconciliation(to: router, desk)
        addRepairs(to: router, desk)
        router.get("/v1/watch") { _, _ in Response(status: .ok, body: watch(desk)) }
        return router
    }

    static func id(_ context: ControlContext) throws -> Int64 {
        try context.parameters.require("id", as: Int64.self)
    }

    static func answer(_ document: (some Encodable)?) throws -> Response {
        guard let document else { return Response(status: .notFound) }
        return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: try lines([document]))))
    }

    /// One object a line.
    static func lines(_ documents: [some Encodable]) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try documents.reduce(into: []) { $0 += [UInt8](try encoder.encode($1)) + [0x0A] }
    }

    /// Looks five times a second, and hands on what was appended since.
    private static func watch(_ desk: ControlDesk) -> ResponseBody {
        ResponseBody { writer in
            var (epoch, heads) = desk.heads()
            while !Task.isCancelled, !Task.isShuttingDownGracefully {
                let lines = try desk.appended(after: &heads, of: &epoch)
                if lines.isEmpty { try await Task.sleep(for: .milliseconds(200)) }
                for line in lines { try await writer.write(ByteBuffer(bytes: line)) }
            }
            try await writer.finish(nil)
        }
    }
}
