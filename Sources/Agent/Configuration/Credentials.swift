import Glibc

/// Secrets are files: `$CREDENTIALS_DIRECTORY/secret_NAME`, else `NAME` in the credentials directory.
struct Credentials {
    enum Found: Equatable {
        case absent
        case text(String)
        /// In words, for an operator.
        case unreadable(String)
    }

    let directory: String
    let environment: [String: String]

    /// Where the credential is; nil when it is nowhere.
    func path(_ name: String) -> String? { candidates(name).first { access($0, F_OK) == 0 || errno == EACCES } }

    /// Without the line end that editors add.
    func text(_ name: String) -> Found {
        guard let path = path(name) else { return .absent }
        guard let text = FileBytes.text(path) else {
            return .unreadable("credential \(name): \(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        return .text(text.hasSuffix("\n") ? String(text.dropLast()) : text)
    }

    private func candidates(_ name: String) -> [String] {
        (environment["CREDENTIALS_DIRECTORY"].map { ["\($0)/secret_\(name)"] } ?? []) + ["\(directory)/\(name)"]
    }
}
