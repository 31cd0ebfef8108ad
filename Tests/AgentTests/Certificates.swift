import Foundation
import Testing

extension DriverTests {
    /// A key and a certificate for localhost, signed by `ca.pem`.
    func certificate(
        _ name: String, subject: String, names: String = "DNS:localhost,IP:127.0.0.1", days: Int = 2
    ) throws {
        try Data("subjectAltName=\(names)\n".utf8).write(
            to: URL(fileURLWithPath: directory + "/names"))
        try openssl("req -newkey rsa:2048 -nodes -subj \(subject) -keyout \(name)-key.pem -out \(name).csr")
        try openssl(
            "x509 -req -in \(name).csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days \(days) -extfile names -out \(name).pem"
        )
    }

    func openssl(_ arguments: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.arguments = arguments.split(separator: " ").map(String.init)
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }
}
