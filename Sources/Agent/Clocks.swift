import CLinux
import Glibc
package import Inventory

/// The machine's clocks: wall time is data, the monotonic one is for waiting.
package enum Clocks {
    /// Milliseconds since boot, suspended time included.
    package static func monotonic() -> Int64 { read(CLOCK_BOOTTIME) }

    package static func wall() -> Timestamp { Timestamp(milliseconds: read(CLOCK_REALTIME)) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
