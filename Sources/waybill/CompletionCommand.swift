import ArgumentParser

struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Print a shell's completion script.",
        discussion: """
            The package installs all three; this is for a shell that has its own place for them.

            Examples:
              waybill completion bash > /usr/share/bash-completion/completions/waybill
              waybill completion fish > ~/.config/fish/completions/waybill.fish
            """)

    @Argument(help: "bash, zsh or fish.")
    var shell: String

    func validate() throws {
        guard CompletionShell(rawValue: shell) != nil else {
            throw ValidationError("there are completions for bash, zsh and fish, not for \"\(shell)\"")
        }
    }

    func run() {
        guard let shell = CompletionShell(rawValue: shell) else { return }
        printLine(Waybill.completionScript(for: shell))
    }
}
