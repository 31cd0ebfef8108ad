"""Writes waybill.conf(5) from agent.conf, which the program itself writes: configuration.py VERSION <agent.conf."""

import re
import sys


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in ".'" else text


def sentence(words):
    return words[:1].upper() + words[1:] + "." if words else ""


def main():
    out = [f'.TH WAYBILL.CONF 5 "" "waybill {sys.argv[1]}"', ".SH NAME",
           "waybill.conf \\- configuration of the Waybill agent", ".SH DESCRIPTION"]
    lines = sys.stdin.read().split("\n")
    key = re.compile(r"^(#? ?)([a-z_]+) = (.*?)(?:\s{2,}# (.*))?$")
    for line in lines:
        if not line.strip():
            continue
        table = re.match(r"^#?(\[\[?[a-z.]+\]\]?)(?:\s+# (.*))?$", line)
        found = key.match(line)
        if table:
            out.append(f".SH {roff(table.group(1))}")
            if table.group(2):
                out.append(roff(sentence(table.group(2))))
        elif found:
            is_default = found.group(1) == "# "
            value = re.sub(r"\s+# .*", "", found.group(3))
            words = found.group(4) or ""
            text = sentence(words)
            if is_default and "…" not in value:
                text += f" Default: {value}."
            elif not is_default:
                text += f" For example {value}."
            out += [".TP", f"\\fB{roff(found.group(2))}\\fR", roff(text.strip())]
        else:
            out.append(roff(line.lstrip("# ").strip()))
    out += [".SH FILES", ".I /etc/waybill/agent.conf", ".br", ".I /etc/waybill/conf.d/*.conf",
            ".SH SEE ALSO", "waybill(1)"]
    print("\n".join(out))


main()
