import Testing

@testable import MQTT

struct WindowTests {
    private func send(_ count: Int, _ window: inout Window) {
        for _ in 0..<count { window.sent(bytes: 10) }
    }

    private func answer(_ count: Int, _ window: inout Window, isClean: Bool = true) {
        for _ in 0..<count { window.answered(bytes: 10, isClean: isClean) }
    }

    @Test(arguments: [(nil, 100), (1, 1), (7, 7), (8, 6), (20, 18), (65_535, 100)] as [(Int?, Int)])
    func `the broker's receive maximum is kept, with two to spare where there is room`(maximum: Int?, most: Int) {
        var window = Window(configured: 100, receiveMaximum: maximum)
        for _ in 0..<10 {
            let size = window.size
            send(size, &window)
            answer(size, &window)
        }
        #expect(window.size == most)
        #expect(window.count == 0 && window.bytes == 0)
    }

    @Test func `a clean window doubles it, a refusal in it does not`() {
        var window = Window(configured: 100, receiveMaximum: nil)
        #expect(window.size == 20)
        send(20, &window)
        #expect(!window.hasRoom)
        answer(19, &window)
        answer(1, &window, isClean: false)
        #expect(window.size == 20)
        send(20, &window)
        answer(20, &window)
        #expect(window.size == 40)
    }

    @Test func `what the broker refuses of one window halves it once`() {
        var window = Window(configured: 100, receiveMaximum: nil, start: 40)
        send(40, &window)
        for _ in 0..<40 {
            answer(1, &window, isClean: false)
            window.halve()
        }
        #expect(window.size == 20)
        send(1, &window)
        answer(1, &window, isClean: false)
        window.halve()
        #expect(window.size == 10)
    }

    @Test func `it never closes for good`() {
        var window = Window(configured: 1, receiveMaximum: 0)
        window.halve()
        #expect(window.size == 1 && window.hasRoom)
    }

    @Test func `a mebibyte in flight is enough, however few messages`() {
        var window = Window(configured: 100, receiveMaximum: nil)
        window.sent(bytes: 1 << 20)
        #expect(!window.hasRoom)
    }
}

struct InFlightTests {
    private func entry(_ mid: Int32, at moment: Int64 = 0) -> InFlight.Entry {
        InFlight.Entry(mid: mid, token: UInt64(mid) * 2, bytes: 1, at: moment)
    }

    @Test func `answers come in any order and each once`() {
        var flight = InFlight()
        for mid in 1...5 { flight.sent(entry(Int32(mid), at: Int64(mid))) }
        let tokens = [3, 1, 9, 3, 2].map { flight.take($0)?.token }
        #expect(tokens == [6, 2, nil, nil, 4])
        #expect(flight.oldest?.mid == 4 && flight.span == 2)
    }

    @Test func `packet ids come again after they wrapped`() {
        var flight = InFlight()
        var mid: Int32 = 65_000
        for turn in 0..<200_000 {
            #expect(!flight.holds(mid))
            flight.sent(entry(mid, at: Int64(turn)))
            let oldest = mid > 20 ? mid - 20 : mid - 20 + 65_535
            if turn >= 20 {
                let taken = flight.take(oldest)
                #expect(taken?.at == Int64(turn - 20))
            }
            mid = mid == 65_535 ? 1 : mid + 1
        }
        #expect(flight.span == 20)
    }

    @Test func `one that is never answered stays the oldest`() {
        var flight = InFlight()
        flight.sent(entry(1, at: 7))
        for mid in 2...3_000 {
            flight.sent(entry(Int32(mid)))
            _ = flight.take(Int32(mid))
        }
        #expect(flight.oldest?.at == 7 && flight.holds(1))
        let taken = flight.take(1)
        #expect(taken?.at == 7)
        #expect(flight.oldest == nil && flight.span == 0)
    }
}
