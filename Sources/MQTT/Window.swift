/// How much may be in flight: messages and bytes. Begins each connection at 20, doubles per clean window, halves when
/// the broker asks for less.
package struct Window: Sendable {
    private let most: Int
    package private(set) var size: Int
    private var ackedSinceGrowth = 0
    /// Answers to what was in flight when the window was halved: they say nothing new.
    private var staleAnswers = 0
    private var isStale = false
    package private(set) var count = 0
    package private(set) var bytes = 0

    /// What each connection begins with.
    package static let first = 20
    private static let mostBytes = 1 << 20

    /// `receiveMaximum`: the broker's, where it named one.
    package init(configured: Int, receiveMaximum: Int?, start: Int = first) {
        let allowed = receiveMaximum.map { $0 < 8 ? $0 : $0 - 2 } ?? 500
        most = max(1, min(configured, 500, allowed))
        size = max(1, min(start, most))
    }

    package var hasRoom: Bool { count < size && bytes < Self.mostBytes }

    package mutating func sent(bytes added: Int) {
        count += 1
        bytes += added
    }

    /// `isClean`: the broker took the message.
    package mutating func answered(bytes removed: Int, isClean: Bool) {
        precondition(count > 0 && bytes >= removed, "what is answered was sent")
        count -= 1
        bytes -= removed
        isStale = staleAnswers > 0
        staleAnswers = max(0, staleAnswers - 1)
        ackedSinceGrowth = isClean ? ackedSinceGrowth + 1 : 0
        if ackedSinceGrowth >= size {
            size = min(most, size * 2)
            ackedSinceGrowth = 0
        }
    }

    /// Because of the last answer: once for all that was in flight together, however many of it the broker refuses.
    package mutating func halve() {
        guard !isStale else { return }
        staleAnswers = count
        size = max(1, size / 2)
        ackedSinceGrowth = 0
    }
}
