"""Writes waybill(1) from what the program says of its commands: program.py VERSION <dump-help.json."""

import json
import sys

SECTIONS = {
    "Exit status": [
        ("0", "done, or healthy"), ("1", "failed, or something needs attention"), ("2, 64", "wrong usage"),
        ("3", "the agent does not run"), ("4", "no permission"), ("5", "no such thing"), ("6", "not confirmed"),
        ("7", "partly done"), ("78", "the configuration is wrong"), ("130", "interrupted"),
    ],
    "Files": [
        ("/etc/waybill/agent.conf", "the configuration, see waybill.conf(5)"),
        ("/etc/waybill/conf.d/*.conf", "the site's settings, read over it"),
        ("/etc/waybill/credentials/", "one secret a file, readable by root alone"),
        ("/var/lib/waybill/", "the outbox"),
        ("/run/waybill/control.sock", "what the commands talk to; members of group waybill may"),
    ],
}


def roff(text):
    lines = []
    for line in text.replace("\\", "\\e").replace("-", "\\-").split("\n"):
        lines.append("\\&" + line if line[:1] in ".'" else line)
    return "\n".join(lines)


def paragraphs(text):
    """Prose as paragraphs, indented lines as they stand."""
    out, is_literal = [], False
    for line in text.split("\n"):
        starts_literal = line.startswith("  ")
        if starts_literal != is_literal:
            out.append(".nf" if starts_literal else ".fi")
            is_literal = starts_literal
        out.append(roff(line) if line.strip() else ".sp")
    if is_literal:
        out.append(".fi")
    return out


def name(argument):
    names = argument.get("names") or []
    text = ", ".join(("--" if one["kind"] == "long" else "-") + one["name"] for one in names)
    value = "" if argument["kind"] == "flag" else f" <{argument.get('valueName', 'value')}>"
    return text + value if text else value.strip()


def command(node, path):
    words = path + [node["commandName"]]
    out = [f".SS {roff(' '.join(words))}", *paragraphs(node.get("abstract", ""))]
    arguments = [one for one in node.get("arguments", []) if one.get("shouldDisplay", True)
                 and not {"help", "version"} & {each["name"] for each in one.get("names") or []}]
    for argument in arguments:
        words_of = argument.get("abstract", "")
        if argument.get("defaultValue"):
            words_of += f" (default: {argument['defaultValue']})"
        out += [".TP", f"\\fB{roff(name(argument))}\\fR", roff(words_of) if words_of else "\\&"]
    if node.get("discussion"):
        out += [".PP", *paragraphs(node["discussion"])]
    for sub in node.get("subcommands", []):
        if sub.get("shouldDisplay", True) and sub["commandName"] != "help":
            out += command(sub, words)
    return out


def main():
    root = json.load(sys.stdin)["command"]
    out = [f'.TH WAYBILL 1 "" "waybill {sys.argv[1]}"', ".SH NAME",
           "waybill \\- " + roff(root["abstract"][0].lower() + root["abstract"][1:].rstrip(".")),
           ".SH SYNOPSIS", ".B waybill", "[command] [options]", ".SH DESCRIPTION",
           "Without a command it is \\fBwaybill status\\fR. Only run, check, try, receive and demo read a configuration;"
           " all else asks the running agent over its control socket.", ".SH COMMANDS"]
    for sub in root["subcommands"]:
        if sub.get("shouldDisplay", True) and sub["commandName"] != "help":
            out += command(sub, [])
    for title, lines in SECTIONS.items():
        out.append(f".SH {title.upper()}")
        for key, words in lines:
            out += [".TP", f"\\fB{roff(key)}\\fR", roff(words)]
    out += [".SH SEE ALSO", "waybill.conf(5)"]
    print("\n".join(out))


main()
