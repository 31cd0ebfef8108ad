import Glibc

/// The code of the program and its libraries in memory: never written, so what is unmapped comes back from the page cache
/// when it is used.
enum ProgramCode {
    /// Unmaps all of it. Most is needed only to start, and would else count as resident for as long as the agent runs.
    static func release() {
        guard let maps = FileBytes.text("/proc/self/maps") else { return }
        for line in maps.split(separator: "\n") where line.contains(" r-xp ") && line.contains(" /") {
            let bounds = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
            guard bounds.count == 2 else { continue }
            madvise(UnsafeMutableRawPointer(bitPattern: bounds[0]), Int(bounds[1] - bounds[0]), MADV_DONTNEED)
        }
    }
}
