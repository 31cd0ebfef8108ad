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
    func path(_ name: String) -> String? {
        let given = environment["CREDENTIALS_DIRECTORY"].map { "\($0)/secret_\(name)" }
        if let given, access(given, F_OK) == 0 || errno == EACCES { return given }
        let shared = "\(directory)/\(name)"
        if access(shared, F_OK) == 0 { return shared }
        // A service is given its credentials and may not look into root's directory: nothing is amiss then.
        return errno == EACCES && given == nil ? shared : nil
    }

    /// Without the line end that editors add.
    func text(_ name: String) -> Found {
        guard let path = path(name) else { return .absent }
        guard let text = FileBytes.text(path) else {
            return .unreadable("credential \(name): \(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        return .text(text.hasSuffix("\n") ? String(text.dropLast()) : text)
    }
}
