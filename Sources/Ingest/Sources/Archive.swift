struct ArchiveError: Error, CustomStringConvertible {
    var code: String
    var description: String
}

enum Archive {
    static func content(of file: TailFile, scratch: String?) throws(ArchiveError) -> TailFile { file }
}
