import CLinux
import Glibc

/// What is done in the drop directory with an export that was read or refused, after the commit.
struct DropChore {
    enum Kind {
        case delete
        case archive(into: String)
        case fail(into: String, reason: String)
    }

    let unit: DropUnit
    let kind: Kind

    /// What went wrong, in words: the export stays where it is then, and is not read again all the same. What took its
    /// place since was not read yet, and is left with its marker.
    func run(in directory: String, completion: DropSettings.Completion) -> [String] {
        unit.entries.flatMap { entry -> [String] in
            guard let file = TailFile(path: "\(directory)/\(entry.name)"), entry.isStateOf(file) else { return [] }
            var problems = run(on: entry.name, in: directory)
            if case .marker(let suffix) = completion {
                for marker in DropQueue.markerNames(of: entry.name, suffix)
                where access("\(directory)/\(marker)", F_OK) == 0 {
                    problems += run(on: marker, in: directory, isMarker: true)
                }
            }
            return problems
        }
    }

    private func run(on name: String, in directory: String, isMarker: Bool = false) -> [String] {
        let path = "\(directory)/\(name)"
        switch kind {
        case .delete: return unlink(path) == 0 || errno == ENOENT ? [] : [Self.problem(name, "be deleted")]
        case .archive(let target): return move(path, name, into: target)
        case .fail(let target, let reason):
            let problems = move(path, name, into: target)
            return isMarker || !problems.isEmpty ? problems : explain(reason, name, in: target)
        }
    }

    /// Never over another file: an archive that loses one is none.
    private func move(_ path: String, _ name: String, into target: String) -> [String] {
        mkdir(target, 0o750)
        var place = "\(target)/\(name)"
        var copy = 1
        while access(place, F_OK) == 0, copy < 10_000 {
            place = "\(target)/\(name).\(copy)"
            copy += 1
        }
        return rename(path, place) == 0 || errno == ENOENT ? [] : [Self.problem(name, "be moved to \(target)")]
    }

    private func explain(_ reason: String, _ name: String, in target: String) -> [String] {
        let bytes = Array((reason + "\n").utf8)
        let file = waybill_open("\(target)/\(name).reason.txt", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard file >= 0 else { return [Self.problem("\(name).reason.txt", "be written")] }
        defer { close(file) }
        return write(file, bytes, bytes.count) == bytes.count ? [] : [Self.problem("\(name).reason.txt", "be written")]
    }

    private static func problem(_ name: String, _ what: String) -> String {
        "\(name) cannot \(what): \(String(cString: strerror(errno)))"
    }
}
