import Ingest
import CLinux
import Glibc

/// Whether this process may do with the configured files what the agent does.
struct FileProbe {
    enum Need {
        case read, write
    }

    private let path: String
    private let need: Need
    private let what: String

    /// `what`: in words, such as `source moves`.
    init(_ path: String, _ need: Need, what: String) {
        self.path = path
        self.need = need
        self.what = what
    }

    func run() -> DoctorFinding {
        if let closed = closedDirectory() {
            return finding(.failed, "may not be entered at \(closed)", remedies: access(to: closed, "x"))
        }
        var status = stat()
        guard stat(path, &status) == 0 else {
            return finding(
                .warning, "is not there yet: \(String(cString: strerror(errno)))", remedies: ["ls -l \(path.directory)"]
            )
        }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        let mode = need == .write ? W_OK | (isDirectory ? X_OK : 0) : R_OK | (isDirectory ? X_OK : 0)
        guard faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0 else {
            let words = need == .write ? "may not be written" : "may not be read"
            return finding(
                .failed, "\(words): \(String(cString: strerror(errno)))",
                remedies: access(to: path, need == .write ? "rw" : "r"))
        }
        guard !isDirectory, need == .read else {
            return finding(.ok, need == .write ? "may be written" : "may be read")
        }
        // What access(2) allows, a mandatory rule may still refuse.
        let descriptor = waybill_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0)
        guard descriptor >= 0 else { return finding(.failed, "cannot be opened: \(String(cString: strerror(errno)))") }
        close(descriptor)
        return finding(.ok, "may be read")
    }

    /// The first directory on the way that this process may not enter.
    private func closedDirectory() -> String? {
        var place = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/").dropLast() {
            place += "/\(part)"
            if faccessat(AT_FDCWD, place, X_OK, AT_EACCESS) != 0, errno == EACCES { return place }
        }
        return nil
    }

    private func access(to place: String, _ rights: String) -> [String] {
        let user = ServiceUser.present
        return [
            "setfacl -m u:\(user):\(rights) \(place)",
            "or by its group: usermod -aG GROUP \(user), then SupplementaryGroups=GROUP in a drop-in",
            "  (/usr/share/doc/waybill/examples/wms-access.conf), systemctl daemon-reload, systemctl restart waybill",
        ]
    }

    private func finding(
        _ verdict: DoctorFinding.Verdict, _ words: String, remedies: [String] = []
    ) -> DoctorFinding { DoctorFinding("files", path, verdict, "\(what): \(words)", remedies: remedies) }
}

enum ServiceUser {
    private static let name = "waybill"

    /// Whose rights count now.
    static var present: String {
        guard let entry = getpwuid(geteuid()), let name = entry.pointee.pw_name else { return "\(geteuid())" }
        return String(cString: name)
    }

    /// With the effective rights of the service's user, if this is root and there is such a user; else as it is.
    static func acting<T>(_ body: () -> T) -> T {
        guard geteuid() == 0, let entry = getpwnam(name) else { return body() }
        let (user, group) = (entry.pointee.pw_uid, entry.pointee.pw_gid)
        let (ownGroup, ownGroups) = (getegid(), groups())
        defer {
            // In this order: only root may change groups.
            seteuid(0)
            setegid(ownGroup)
            setgroups(ownGroups.count, ownGroups)
        }
        _ = initgroups(name, group) == 0 && setegid(group) == 0 && seteuid(user) == 0
        return body()
    }

    private static func groups() -> [gid_t] {
        var groups = [gid_t](repeating: 0, count: max(1, Int(getgroups(0, nil))))
        let count = getgroups(Int32(groups.count), &groups)
        return Array(groups.prefix(max(0, Int(count))))
    }
}
