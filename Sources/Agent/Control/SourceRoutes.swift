import Hummingbird
import NIOCore
import NIOPosix

extension ControlServer {
    /// Sources, and what technicians decide about them.
    static func addSources(to router: Router<ControlContext>, _ desk: ControlDesk) {
        router.get("/v1/sources") { request, _ in
            let sources = try desk.sources(named: request.uri.queryParameters["name"].map { String($0) })
            return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: try lines(sources))))
        }
        router.get("/v1/sources/files") { request, _ in
            let query = request.uri.queryParameters
            let name = query["name"].map { String($0) } ?? ""
            let text = query["text"].map { String($0) } ?? ""
            let (besidesRead, limit) = (query["besides_read"] == "1", query["limit"].flatMap { Int($0) } ?? 50)
            return try await refusing {
                let files = try await NIOThreadPool.singleton.runIfActive {
                    try desk.files(of: name, holding: text, besidesRead: besidesRead, limit: limit)
                }
                return files.map { SourceFileList(files: $0) }
            }
        }
        router.post("/v1/sources/pause") { request, context in
            let ask = SourceAsk(request)
            return try await refusing {
                try desk.pauseSource(ask.name, actor: await context.actor(), isDryRun: ask.isDryRun)
            }
        }
        router.post("/v1/sources/resume") { request, context in
            let ask = SourceAsk(request)
            return try await refusing {
                try desk.resumeSource(ask.name, actor: await context.actor(), isDryRun: ask.isDryRun)
            }
        }
        for (path, isAccepted) in [("/v1/sources/accept", true), ("/v1/sources/reject", false)] {
            router.post(RouterPath(path)) { request, context in
                let ask = SourceAsk(request)
                return try await refusing {
                    try desk.decideHold(
                        ask.name, isAccepted: isAccepted, actor: await context.actor(), isDryRun: ask.isDryRun)
                }
            }
        }
        router.post("/v1/sources/rewind") { request, context in
            let ask = SourceAsk(request)
            return try await refusing {
                let actor = await context.actor()
                // It looks at the export, whose filesystem may hang.
                return try await NIOThreadPool.singleton.runIfActive {
                    try desk.rewindSource(ask.name, to: ask.to, actor: actor, isDryRun: ask.isDryRun)
                }
            }
        }
    }

    private struct SourceAsk {
        let name: String
        let to: String
        let isDryRun: Bool

        init(_ request: Request) {
            let query = request.uri.queryParameters
            name = query["name"].map { String($0) } ?? ""
            to = query["to"].map { String($0) } ?? ""
            isDryRun = query["dry_run"] == "1"
        }
    }
}
