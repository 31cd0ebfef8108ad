import Agent
import ArgumentParser

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Send published events again, byte for byte, to a lane or to one consumer.",
        discussion: """
            Consumers drop what they have by its sequence. Without a range all that is kept is sent; live events go first.

            Examples:
              waybill replay --lane standard --from 4100 --to 4200 --dry-run
              waybill replay --lane critical --to-requester ingest --yes
            """)

    @OptionGroup var control: ControlOptions

    @Option(help: "critical, standard or bulk.")
    var lane: String

    @Option(help: "The first sequence; default: the oldest that is kept.")
    var from: Int64?

    @Option(help: "The last sequence; default: the last that was published.")
    var to: Int64?

    @Option(help: "An earlier epoch; default: the present one.")
    var epoch: String?

    @Option(help: ArgumentHelp("To this consumer alone; default: to the lane, for all.", valueName: "requester"))
    var toRequester: String?

    @Flag(help: "Say what would be sent, and leave it.")
    var dryRun = false

    @Flag(help: "Do it without asking.")
    var yes = false

    @Flag(help: "One JSON object.")
    var json = false

    func run() throws {
        let run = RepairRun(control, asJSON: json)
        let target =
            "/v1/replay?"
            + query([
                ("lane", lane), ("epoch", epoch), ("from", from.map { "\($0)" }), ("to", to.map { "\($0)" }),
                ("requester", toRequester),
            ])
        let plan = try run.plan(target)
        if dryRun {
            if json { return try printJSON(plan) }
            return printLine("would send \(plan.events ?? 0) events: \(plan.what)")
        }
        if !yes { try confirm("\(plan.what): \(plan.events ?? 0) events are sent again.") }
        try run.follow(try run.order(target))
    }
}

struct ResyncCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resync", abstract: "Send the present stock to one consumer, all of it or a part.",
        discussion: """
            The parts are prefixes. A consumer takes what is newer than its own, and removes what is gone.

            Examples:
              waybill resync --to-requester ingest --sku 1001
              waybill resync --to-requester ingest --all --yes
            """)

    @OptionGroup var control: ControlOptions

    @Option(help: ArgumentHelp("The consumer.", valueName: "requester"))
    var toRequester: String

    @Option(help: "Only SKUs that begin so.")
    var sku: String?

    @Option(help: "Only locations that begin so.")
    var location: String?

    @Flag(help: "All stock.")
    var all = false

    @Flag(help: "Say what would be sent, and leave it.")
    var dryRun = false

    @Flag(help: "Do it without asking.")
    var yes = false

    @Flag(help: "One JSON object.")
    var json = false

    func validate() throws {
        guard all == (sku == nil && location == nil) else {
            throw ValidationError(
                all ? "--all excludes --sku and --location" : "name a part by --sku or --location, or --all")
        }
    }

    func run() throws {
        let run = RepairRun(control, asJSON: json)
        let target = "/v1/resync?" + query([("requester", toRequester), ("sku", sku), ("location", location)])
        let plan = try run.plan(target)
        if dryRun {
            if json { return try printJSON(plan) }
            return printLine("would send: \(plan.what)")
        }
        if !yes {
            let status = try asking { try control.client.get(StatusDocument.self, "/v1/status") }
            try confirm("\(plan.what).", answer: all ? status.site : "yes")
        }
        try run.follow(try run.order(target))
    }
}
