import Delivery
import FoundationEssentials
import Hummingbird
import Inventory
import NIOPosix
import Outbox
import SQLite

extension ControlServer {
    /// What technicians repair, and what they look at behind a balance.
    static func addRepairs(to router: Router<ControlContext>, _ desk: ControlDesk) {
        router.post("/v1/replay") { request, context in
            let query = request.uri.queryParameters
            return try await refusing {
                try desk.replay(
                    lane: query["lane"].map { String($0) } ?? "", epoch: query["epoch"].map { String($0) },
                    from: query["from"].flatMap { Int64($0) }, to: query["to"].flatMap { Int64($0) },
                    requester: query["requester"].map { String($0) }, isDryRun: query["dry_run"] == "1",
                    actor: await context.actor())
            }
        }
        router.post("/v1/resync") { request, context in
            let query = request.uri.queryParameters
            let scope = SnapshotScope(
                sku: query["sku"].map { String($0) } ?? "", location: query["location"].map { String($0) } ?? "")
            return try await refusing {
                try desk.resync(
                    scope, requester: query["requester"].map { String($0) } ?? "", isDryRun: query["dry_run"] == "1",
                    actor: await context.actor())
            }
        }
        router.get("/v1/repairs/:id") { _, context in try answer(desk.board.state(try id(context))) }
        router.post("/v1/outbox/reset") { _, context in
            let actor = await context.actor()
            // It may move a million events: the loop goes on answering meanwhile.
            return try answer(try await NIOThreadPool.singleton.runIfActive { try desk.reset(actor: actor) })
        }
        router.get("/v1/stock") { request, _ in
            let query = request.uri.queryParameters
            let lines = try desk.stock(
                sku: query["sku"].map { String($0) } ?? "", location: query["location"].map { String($0) })
            return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: try Self.lines(lines))))
        }
        router.get("/v1/why") { request, _ in
            let query = request.uri.queryParameters
            let (sku, location) = (query["sku"].map { String($0) } ?? "", query["location"].map { String($0) })
            let lines = try await NIOThreadPool.singleton.runIfActive {
                try desk.why(sku: sku, location: location)
            }
            return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: try Self.lines(lines))))
        }
        router.get("/v1/audit") { request, _ in
            let query = request.uri.queryParameters
            let limit = min(1_000, max(1, query["limit"].flatMap { Int64($0) } ?? 100))
            let lines = try desk.audit(before: query["before"].flatMap { Int64($0) }, limit: limit)
            return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: try Self.lines(lines))))
        }
    }

    /// What the desk refuses is told in words.
    static func refusing(_ body: () async throws -> (some Encodable)?) async throws -> Response {
        do { return try answer(try await body()) } catch let refusal as DeskRefusal {
            return try answer(RefusalDocument(refused: refusal.words))
        } catch let error as SQLiteError where error.isBusy {
            return try answer(
                RefusalDocument(refused: "its file is busy, as when an export is being compared; ask again in a while"))
        }
    }
}
