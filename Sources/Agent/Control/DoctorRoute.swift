import FoundationEssentials
import Hummingbird
import NIOCore
import NIOPosix
import Synchronization

extension ControlServer {
    /// `doctor` as the service itself sees it, a finding a line as each is known; one at a time.
    static func addDoctor(to router: Router<ControlContext>, _ desk: ControlDesk) {
        let isBusy = BusyFlag()
        router.post("/v1/doctor") { _, _ in
            guard isBusy.take() else {
                return try answer(RefusalDocument(refused: "somebody else asks just now; try again in a minute"))
            }
            let (findings, sink) = AsyncStream.makeStream(of: DoctorFinding.self)
            let configuration = desk.configuration
            NIOThreadPool.singleton.submit { _ in
                Doctor(configuration).lookAsService { sink.yield($0) }
                sink.finish()
                isBusy.give()
            }
            return Response(
                status: .ok,
                body: ResponseBody { writer in
                    for await finding in findings { try await writer.write(ByteBuffer(bytes: try lines([finding]))) }
                    try await writer.finish(nil)
                })
        }
    }

    private final class BusyFlag: Sendable {
        private let isTaken = Atomic(false)

        func take() -> Bool { !isTaken.exchange(true, ordering: .acquiringAndReleasing) }
        func give() { isTaken.store(false, ordering: .releasing) }
    }
}
