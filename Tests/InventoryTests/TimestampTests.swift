import Inventory
import SeededRandom
import Testing

struct TimestampTests {
    @Test(arguments: [
        ("2026-11-23T09:14:05Z", "2026-11-23T09:14:05.000Z"),
        ("2026-11-23T10:14:05.4+01:00", "2026-11-23T09:14:05.400Z"),
        ("2026-11-23 00:14:05.123999-09:30", "2026-11-23T09:44:05.123Z"),
        ("2024-02-29t23:59:59.999z", "2024-02-29T23:59:59.999Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("2017-01-01T00:59:60.5+01:00", "2017-01-01T00:00:00.000Z"),
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
    ])
    func `RFC 3339 is read into UTC`(text: String, utc: String) {
        #expect(Timestamp(rfc3339: text)?.description == utc)
    }

    @Test(arguments: [
        "", "2026-11-23", "2026-11-23T09:14:05", "2026-11-23T09:14Z", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z", "2026-11-23T24:00:00Z",
        "2026-11-23T09:60:00Z", "2026-11-23T09:14:60Z", "2026-11-23T09:14:05.Z", "2026-11-23T09:14:05+24:00",
        "2026-11-23T09:14:05+0100", "2026-11-23T09:14:05Zx", " 2026-11-23T09:14:05Z", "+026-11-23T09:14:05Z",
        "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:60Z", "２０26-11-23T09:14:05Z",
    ])
    func `what is no moment is refused`(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func `text and moment agree for random moments`() {
        var random = Seeded()
        for _ in 0..<5_000 {
            let moment = Timestamp(
                milliseconds: .random(in: -62_167_219_200_000...253_402_300_799_999, using: &random))
            #expect(Timestamp(rfc3339: moment.description) == moment, "seed \(random.seed), \(moment.milliseconds)")
            let c = moment.civil
            let back = Timestamp.civil(
                year: c.year, month: c.month, day: c.day, hour: c.hour, minute: c.minute, second: c.second,
                millisecond: c.millisecond)
            #expect(back == moment, "seed \(random.seed), \(moment.milliseconds)")
        }
    }

    @Test func `a moment that RFC 3339 cannot write is written as the nearest it can`() {
        #expect(Timestamp(milliseconds: .min).description == "0000-01-01T00:00:00.000Z")
        #expect(Timestamp(milliseconds: .max).description == "9999-12-31T23:59:59.999Z")
    }

    @Test func `only real civil dates are made`() {
        #expect(Timestamp.civil(year: 2023, month: 2, day: 29) == nil)
        #expect(Timestamp.civil(year: 2000, month: 2, day: 29) != nil)
        #expect(Timestamp.civil(year: 10_000, month: 1, day: 1) == nil)
        #expect(Timestamp.civil(year: 2026, month: 1, day: 1, hour: 24) == nil)
        #expect(Timestamp.civil(year: 1970, month: 1, day: 1, millisecond: 1)?.milliseconds == 1)
    }
}
