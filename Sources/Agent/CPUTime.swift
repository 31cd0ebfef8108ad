import CLinux
import Glibc

extension rusage {
    /// User and system time together.
    var cpuSeconds: Double { [ru_utime, ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 } }
}
