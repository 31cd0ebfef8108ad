import CLinux
import CTLS
import Glibc
import MQTT

/// One handshake with a broker, and what its certificate says.
struct TLSProbe {
    private let host: String
    private let port: Int32
    private let options: MQTTOptions

    private static let fewDays: Int32 = 21
    private static let deadlineSeconds = 5

    init(host: String, port: Int32, options: MQTTOptions) {
        self.host = host
        self.port = port
        self.options = options
    }

    private var place: String { "\(host):\(port)" }

    /// On a connected socket, which stays the caller's.
    func run(_ descriptor: Int32) -> [DoctorFinding] {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_client_method()) else { return [failed("TLS cannot be begun")] }
        defer { SSL_CTX_free(context) }
        if let problem = configure(context) { return [problem] }
        guard let ssl = SSL_new(context) else { return [failed("TLS cannot be begun")] }
        defer { SSL_free(ssl) }
        SocketSupport.limitSilence(descriptor, seconds: Self.deadlineSeconds)
        SSL_set_fd(ssl, descriptor)
        expectHost(ssl)
        guard SSL_connect(ssl) == 1 else {
            return [
                failed(
                    "the handshake failed: \(Self.error)",
                    remedies: [
                        openssl, "where the broker wants a client certificate: mqtt.cert_file and mqtt.key_file",
                    ])
            ]
        }
        return [judge(ssl)] + clientCertificate()
    }

    private func configure(_ context: OpaquePointer) -> DoctorFinding? {
        // The handshake goes on with a certificate that is wrong, so that it can be told what is wrong with it.
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        guard SSL_CTX_load_verify_locations(context, options.caFile, nil) == 1 else {
            return failed(
                "the authorities in \(options.caFile) (mqtt.ca_file) cannot be used: \(Self.error)",
                remedies: ["openssl x509 -in \(options.caFile) -noout -subject -dates"])
        }
        guard let certificate = options.certificateFile, let key = options.keyFile else { return nil }
        guard SSL_CTX_use_certificate_chain_file(context, certificate) == 1,
            SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1, SSL_CTX_check_private_key(context) == 1
        else {
            return failed(
                "the client certificate \(certificate) and its key cannot be used: \(Self.error)",
                remedies: ["openssl x509 -in \(certificate) -noout -pubkey", "openssl pkey -in \(key) -pubout"])
        }
        return nil
    }

    private func expectHost(_ ssl: OpaquePointer) {
        guard SocketSupport.isAddress(host) else {
            _ = waybill_set_server_name(ssl, host)
            SSL_set1_host(ssl, host)
            return
        }
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host)
    }

    private func judge(_ ssl: OpaquePointer) -> DoctorFinding {
        guard let certificate = SSL_get1_peer_certificate(ssl) else { return failed("the broker shows no certificate") }
        defer { X509_free(certificate) }
        let code = SSL_get_verify_result(ssl)
        let days = Self.daysLeft(certificate).days
        let names = Self.names(certificate)
        guard code == Int(X509_V_OK) else {
            let why = String(cString: X509_verify_cert_error_string(code))
            return failed("\(words(code, days, names)): \(why)", remedies: remedies(code))
        }
        let version = String(cString: SSL_get_version(ssl))
        let text = "\(version), chain of \(waybill_chain_length(ssl)), \(days) days left, for \(names)"
        guard days < Self.fewDays else { return DoctorFinding("tls", place, .ok, text) }
        return DoctorFinding("tls", place, .warning, "\(text): renew it soon", remedies: [openssl])
    }

    private func words(_ code: Int, _ days: Int32, _ names: String) -> String {
        switch Int32(code) {
        case X509_V_ERR_CERT_HAS_EXPIRED: "the broker's certificate expired \(-days) days ago"
        case X509_V_ERR_CERT_NOT_YET_VALID: "the broker's certificate is not valid yet; is this clock right?"
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            "the broker's certificate is for \(names), not for \(host)"
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            "the broker's certificate is signed by nobody in \(options.caFile)"
        default: "the broker's certificate is not accepted"
        }
    }

    private func remedies(_ code: Int) -> [String] {
        switch Int32(code) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            [openssl, "on the broker's machine: renew it, then systemctl reload mosquitto"]
        case X509_V_ERR_CERT_NOT_YET_VALID: ["timedatectl status", openssl]
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            [openssl, "name the broker in mqtt.brokers as its certificate does"]
        default: [openssl, "put the authority's certificate into a file and name it in mqtt.ca_file"]
        }
    }

    private var openssl: String {
        "openssl s_client -connect \(place) -servername \(host) -CAfile \(options.caFile) </dev/null"
            + " | openssl x509 -noout -dates -issuer -ext subjectAltName"
    }

    /// The agent's own, whose end nobody else watches.
    private func clientCertificate() -> [DoctorFinding] {
        guard let path = options.certificateFile, let bio = BIO_new_file(path, "r") else { return [] }
        defer { BIO_free(bio) }
        guard let certificate = PEM_read_bio_X509(bio, nil, nil, nil) else { return [] }
        defer { X509_free(certificate) }
        let (days, isExpired) = Self.daysLeft(certificate)
        let verdict: DoctorFinding.Verdict = isExpired ? .failed : days < Self.fewDays ? .warning : .ok
        return [
            DoctorFinding(
                "tls", path, verdict,
                isExpired
                    ? "this site's own certificate expired \(-days) days ago"
                    : "this site's own certificate: \(days) days left",
                remedies: verdict == .ok ? [] : ["openssl x509 -in \(path) -noout -subject -dates"])
        ]
    }

    private static func daysLeft(_ certificate: OpaquePointer) -> (days: Int32, isExpired: Bool) {
        var (days, seconds) = (Int32(0), Int32(0))
        ASN1_TIME_diff(&days, &seconds, nil, X509_get0_notAfter(certificate))
        return (days, days < 0 || seconds < 0)
    }

    /// The names that a certificate is for, or its subject where it has none.
    private static func names(_ certificate: OpaquePointer) -> String {
        var names: [String] = []
        if let found = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) {
            let list = OpaquePointer(found)
            var index: Int32 = 0
            while let name = waybill_dns_name(list, index), names.count < 10 {
                if name.pointee != 0 { names.append(String(cString: name)) }
                index += 1
            }
            GENERAL_NAMES_free(list)
        }
        guard names.isEmpty else { return names.joined(separator: ", ") }
        var buffer = [CChar](repeating: 0, count: 256)
        X509_NAME_oneline(X509_get_subject_name(certificate), &buffer, Int32(buffer.count))
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static var error: String {
        let code = ERR_get_error()
        guard code != 0, let text = ERR_reason_error_string(code) else {
            return errno == EAGAIN ? "no answer within \(deadlineSeconds) s" : "the other side closed the connection"
        }
        return String(cString: text)
    }

    private func failed(_ words: String, remedies: [String] = []) -> DoctorFinding {
        DoctorFinding("tls", place, .failed, words, remedies: remedies)
    }
}
