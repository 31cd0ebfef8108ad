/// The words of CONNACK and DISCONNECT reason codes (MQTT 5, section 2.4), and of the return codes of MQTT 3.1.1.
enum ReasonCode {
    static func disconnect(_ reason: UInt8) -> ConnectionLoss {
        let known: [UInt8: String] = [
            0x8B: "is shutting down", 0x8D: "heard nothing for too long",
            0x8E: "gave this identity to another connection: a second agent may run with this tenant and site",
            0x93: "got more messages at once than it allows", 0x95: "got a packet that is too large",
            0x87: "does not authorise this site to publish; check its access list",
            0x8A: "has banned this client", 0x97: "reports a used up quota",
            0x98: "was told by an administrator to close the connection", 0x99: "calls a payload's format invalid",
        ]
        let words = known[reason] ?? "closed the connection (0x\(String(reason, radix: 16)))"
        // What an operator has to mend is asked for slowly.
        let isRefusal = reason == 0x87 || reason == 0x8A
        return ConnectionLoss(isRefusal: isRefusal, words: "the broker \(words)", reason: reason)
    }

    static func connack(_ code: Int32, version: MQTTOptions.Version) -> ConnectionLoss {
        if version == .v311 {
            let words = [
                "", "refuses this protocol version", "refuses the client id", "is unavailable",
                "refuses the user name or password", "does not authorise this client",
            ]
            let text = (1..<6).contains(code) ? words[Int(code)] : "refused the connection (code \(code))"
            return ConnectionLoss(isRefusal: code != 3, words: "the broker \(text)")
        }
        let refusals: [Int32: String] = [
            0x81: "calls the packet malformed", 0x82: "reports a protocol error",
            0x84: "does not speak MQTT 5; set mqtt.version = \"3.1.1\"",
            0x85: "refuses the client id", 0x86: "refuses the user name or password",
            0x87: "does not authorise this client", 0x8A: "has banned this client",
            0x8C: "refuses the authentication method",
        ]
        if let words = refusals[code] { return ConnectionLoss(isRefusal: true, words: "the broker \(words)") }
        return ConnectionLoss(isRefusal: false, words: "the broker is not ready (0x\(String(code, radix: 16)))")
    }
}
