package enum WaybillVersion {
    package static let text = "0.1.0"
    /// Migrations that the outbox file has.
    package static let outboxSchema = 3
}
