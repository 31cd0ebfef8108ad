import Glibc
import HTTPTypes
import Hummingbird
import NIOCore

/// What may be looked at without any right: page, metrics, health. At the control socket, and at `http.listen`.
enum LookingRoutes {
    private static let refreshes = 5...3_600

    static func add(to router: Router<ControlContext>, _ desk: ControlDesk) {
        router.get("/metrics") { _, _ in
            text(try desk.metrics(), "text/plain; version=0.0.4; charset=utf-8")
        }
        router.get("/healthz") { _, _ in
            let health = desk.healthz()
            return text(
                health.text, "text/plain; charset=utf-8", status: health.isHealthy ? .ok : .serviceUnavailable)
        }
        router.get("/") { request, _ in
            let refresh = request.uri.queryParameters["refresh"].flatMap { Int($0) }
            let html = try desk.page(refresh: refresh.flatMap { refreshes.contains($0) ? $0 : nil })
            return text(html, "text/html; charset=utf-8")
        }
    }

    private static func text(
        _ text: String, _ type: String, status: HTTPResponse.Status = .ok
    ) -> Response {
        var headers: HTTPFields = [
            .contentType: type, .cacheControl: "no-store", .contentSecurityPolicy: PageStyle.policy,
        ]
        headers[.xContentTypeOptions] = "nosniff"
        if let name = HTTPField.Name("Referrer-Policy") { headers[name] = "no-referrer" }
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

/// Answers only who named this machine by an address or as localhost: a name could be anybody's, and a page elsewhere must
/// not read this one through its visitor's browser.
struct AddressedHosts: RouterMiddleware {
    func handle(
        _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        guard Self.isAddress(request.head.authority ?? "") else { return Response(status: .misdirectedRequest) }
        return try await next(request, context)
    }

    /// With a port or without.
    static func isAddress(_ authority: String) -> Bool {
        var host = authority[...]
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return false }
            host = host[host.index(after: host.startIndex)..<end]
        } else if let colon = host.lastIndex(of: ":") {
            host = host[..<colon]
        }
        return host.lowercased() == "localhost" || SocketSupport.isAddress(String(host))
    }
}
