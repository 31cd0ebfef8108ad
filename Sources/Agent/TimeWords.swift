import CLinux
import Glibc
package import Inventory

/// Moments and durations as people read them.
package enum TimeWords {
    /// In the machine's zone, with its offset: `2026-11-26 12:57:05 +01:00`.
    package static func local(_ moment: Timestamp) -> String {
        var seconds = time_t(moment.milliseconds / 1_000)
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return moment.description }
        var buffer = [CChar](repeating: 0, count: 40)
        let length = strftime(&buffer, buffer.count, "%Y-%m-%d %H:%M:%S %z", &parts)
        let text = String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.dropLast(2) + ":" + text.suffix(2)
    }

    /// The same of a moment in RFC 3339, which stays as it is where it is none.
    package static func local(_ text: String) -> String { Timestamp(rfc3339: text).map(local) ?? text }

    /// `45 s`, `12 min`, `5 h`, `3 d`: whole units, none below a second.
    package static func age(milliseconds: Int64) -> String {
        let seconds = max(0, milliseconds) / 1_000
        return switch seconds {
        case ..<120: "\(seconds) s"
        case ..<7_200: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3_600) h"
        default: "\(seconds / 86_400) d"
        }
    }

    /// From one moment in RFC 3339 to another.
    package static func age(from begin: String, to end: String) -> String {
        guard let begin = Timestamp(rfc3339: begin), let end = Timestamp(rfc3339: end) else { return "?" }
        return age(milliseconds: end.milliseconds - begin.milliseconds)
    }
}
