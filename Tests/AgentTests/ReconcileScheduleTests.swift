import Inventory
import Testing

@testable import Agent

struct ReconcileScheduleTests {
    private func moment(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: text)) }

    /// When it was due, looked at every ten minutes, in the order in which that was seen.
    private func due(_ at: String, from begin: String, days: Int64) throws -> [String] {
        let begin = try moment(begin)
        var schedule = try #require(
            ReconcileSchedule(minute: ReconcileSchedule.minute(at), timeZone: "Europe/Berlin", now: begin))
        return (1...days * 144).compactMap { step in
            let now = Timestamp(milliseconds: begin.milliseconds + step * 600_000)
            return schedule.isDue(now) ? now.description : nil
        }
    }

    @Test func `it is due once a day by the site's clock, in summer and winter`() throws {
        #expect(
            try due("02:30", from: "2026-06-30T12:00:00Z", days: 2) == [
                "2026-07-01T00:30:00.000Z", "2026-07-02T00:30:00.000Z",
            ])
        #expect(try due("02:30", from: "2026-12-01T12:00:00Z", days: 1) == ["2026-12-02T01:30:00.000Z"])
    }

    @Test(arguments: ["2026-10-24T12:00:00Z", "2027-03-27T12:00:00Z"])
    func `a day on which the hour comes twice, or never, has it once`(begin: String) throws {
        #expect(try due("02:30", from: begin, days: 1).count == 1)
        #expect(try due("02:30", from: begin, days: 3).count == 3)
    }

    @Test func `a clock that was years ahead does not put it off for years`() throws {
        var schedule = try #require(
            ReconcileSchedule(minute: 150, timeZone: "UTC", now: try moment("2031-01-01T00:00:00Z")))
        #expect(try !schedule.isDue(moment("2026-11-26T01:00:00Z")))
        #expect(try schedule.isDue(moment("2026-11-26T02:31:00Z")))
        #expect(try !schedule.isDue(moment("2026-11-26T02:32:00Z")))
    }

    @Test(arguments: ["2:30", "24:00", "02:60", "0230", "", "aa:bb", "02:30:00"])
    func `what is no time of a day is none`(text: String) {
        #expect(ReconcileSchedule.minute(text) == nil)
    }
}
