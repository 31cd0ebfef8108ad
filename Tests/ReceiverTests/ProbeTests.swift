import Inventory
import MQTT
import Testing

@testable import Receiver

struct ProbeTests {
    @Test func `by an empty message no site is met, and nothing is counted`() throws {
        let bench = try Bench()
        let root = try bench.agent.meta().topic.dropLast("meta".count)
        let parts = ["ev/critical", "ev/standard", "ev/bulk", "state", "beacon", "meta", "rep/centre"]
        func probe() throws {
            for part in parts {
                try bench.deliver(InboundMessage(topic: root + part, payload: [], isRetained: false))
            }
        }
        try probe()
        #expect(bench.core.counts.isEmpty)
        bench.agent.append("S", 1)
        try bench.deliver(try bench.agent.event(.standard, 1))
        try bench.settle(turns: 5)
        let before = "\(bench.counts)"
        try probe()
        #expect("\(bench.counts)" == before && bench.last(.standard) == 1)
    }
}
