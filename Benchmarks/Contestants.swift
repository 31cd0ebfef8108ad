import Agent
import Glibc

/// Whoever carries an export to a broker.
protocol Contestant {
    var name: String { get }
    var topic: String { get }
    /// Starts to carry the export to the broker on a port.
    mutating func start(export: String, port: UInt16, directory: String) throws
    /// Ends; the processes' own CPU seconds.
    mutating func end() -> Double
}

struct Waybill: Contestant {
    let program: String
    let batches: Bool
    private var process: ChildProcess?

    init(program: String, batches: Bool) {
        self.program = program
        self.batches = batches
    }

    var name: String { batches ? "waybill, batches on" : "waybill, batches off" }
    var topic: String { "waybill/v1/+/demo/dc-1/ev/+" }
    var pid: pid_t { process?.pid ?? 0 }

    mutating func start(export: String, port: UInt16, directory: String) throws {
        var text = Demo.configuration(port: port, export: export)
        if !batches { text = text.replacing("[mqtt]\n", with: "[mqtt]\nbatch = { off = true }\n") }
        let file = directory + "/agent.conf"
        try FileBytes.replace(file, with: text)
        process = try ChildProcess(program, ["run", "--config", file], log: directory + "/agent.log")
    }

    mutating func end() -> Double { stop(SIGTERM) }

    mutating func stop(_ signal: Int32) -> Double {
        defer { process = nil }
        process?.end(signal)
        return process?.cpuSeconds ?? 0
    }
}

/// `tail -F | mosquitto_pub -l -q 1`: the raw line, no memory of what was sent.
struct TailIntoPublisher: Contestant {
    private var processes: [ChildProcess] = []

    let name = "tail -F | mosquitto_pub -l -q 1"
    let topic = "peer/moves"

    mutating func start(export: String, port: UInt16, directory: String) throws {
        let pipe = try Pipe()
        processes = [
            try ChildProcess(
                "/usr/bin/tail", ["-n", "+2", "-F", export], log: directory + "/tail.log", output: pipe.write),
            try ChildProcess(
                "/usr/bin/mosquitto_pub",
                ["-h", "127.0.0.1", "-p", "\(port)", "-q", "1", "-t", topic, "-l"],
                log: directory + "/pub.log", input: pipe.read),
        ]
        pipe.close()
    }

    mutating func end() -> Double {
        defer { processes = [] }
        for process in processes { process.end(SIGTERM) }
        return processes.reduce(0) { $0 + $1.cpuSeconds }
    }
}

/// A local mosquitto with a bridge to the central one, tuned: no queue limit, a window of 100, persistence on.
struct Bridge: Contestant {
    private var broker: DemoBroker?
    private var feeder = TailIntoPublisher()

    let name = "mosquitto bridge, tuned"
    let topic = "peer/moves"

    mutating func start(export: String, port: UInt16, directory: String) throws {
        let home = directory + "/bridge"
        mkdir(home, 0o700)
        let bridge = try DemoBroker(
            directory: home,
            settings: """
                max_inflight_messages 100
                connection centre
                address 127.0.0.1:\(port)
                topic # out 1
                cleansession false
                bridge_protocol_version mqttv50
                restart_timeout 1

                """)
        try bridge.start()
        broker = bridge
        try feeder.start(export: export, port: bridge.port, directory: home)
    }

    mutating func end() -> Double {
        defer { broker = nil }
        return feeder.end() + (broker?.stop() ?? 0)
    }
}

/// Two ends of a pipe between two children.
struct Pipe {
    let read: Int32
    let write: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw BenchError(description: "no pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (read, write) = (ends[0], ends[1])
    }

    func close() {
        Glibc.close(read)
        Glibc.close(write)
    }
}
