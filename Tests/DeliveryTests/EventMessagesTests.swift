import Inventory
import Testing

@testable import Delivery

struct EventMessagesTests {
    private func traceparent(_ payload: String) -> String {
        Array(payload.utf8).withUnsafeBytes { String(decoding: EventMessages.traceparent(of: $0), as: UTF8.self) }
    }

    @Test func `the trace context is found as a member, not inside a text`() {
        #expect(traceparent(#"{"subject":"a","traceparent":"00-1-2-00","data":{}}"#) == "00-1-2-00")
        #expect(traceparent(#"{"subject":"\"traceparent\":\"x","traceparent":"y","data":{}}"#) == "y")
    }

    @Test(arguments: ["", "{}", #"{"traceparent"#, #"{"traceparent":"#, #"{"traceparent":""#, #"{"id":"traceparent"}"#])
    func `a payload without one gives none`(payload: String) { #expect(traceparent(payload).isEmpty) }

    @Test func `a text too long for a trace context is none`() {
        #expect(traceparent(#"{"traceparent":"\#(String(repeating: "1", count: 65))"}"#).isEmpty)
    }
}

struct LaneSenderTests {
    @Test(arguments: Lane.allCases)
    func `a token says which run was answered`(lane: Lane) {
        for run in [Run(1, 1), Run(5, 104), Run(1 << 44 - 200, 1 << 44 - 101)] {
            let read = LaneSender.run(of: LaneSender.token(lane, run))
            #expect(read?.lane == lane && read?.run == run)
        }
    }

    @Test func `a token of an announcement or of the farewell is no run`() {
        for token in [Announcer.token, .max, 0] { #expect(LaneSender.run(of: token) == nil) }
    }
}

struct PaceTests {
    @Test(arguments: [1.0, 40, 2_000])
    func `a rate is kept when the loop looks only every quarter of a second`(perSecond: Double) {
        var pace = Pace(perSecond: perSecond)
        var sent = 0
        for moment in stride(from: Int64(0), to: 10_000, by: 250) {
            while pace.allows(now: moment) {
                pace.took()
                sent += 1
            }
        }
        #expect((perSecond * 9...perSecond * 10 + 1).contains(Double(sent)))
    }

    @Test func `without a rate there is no limit`() {
        var pace = Pace(perSecond: nil)
        var sent = 0
        while sent < 10_000, pace.allows(now: 0) {
            pace.took()
            sent += 1
        }
        #expect(sent == 10_000)
    }
}
