#!/usr/bin/env python3
"""Checks alert rules and dashboard: they parse, fire where they should, and name only metrics of docs/operations.md.

Usage: check.py [METRICS], a file with what /metrics printed: then also that it and the table have the same metrics, but
for those of which the table says when they are absent.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DOCS = HERE.parent.parent / "docs" / "operations.md"
NAME = re.compile(r"\bwaybill_[a-z_]+")


def listed():
    """The metrics of the table, histograms with what Prometheus makes of them; then those that are always told."""
    names, always = set(), set()
    for line in DOCS.read_text().splitlines():
        if line.startswith("| `waybill_"):
            cells = line.split("|")
            found = NAME.findall(cells[1])
            names.update(found)
            if "absent" not in cells[3]:
                always.update(found)
            if "histogram" in cells[3]:
                names.update(name + end for name in found for end in ("_bucket", "_sum", "_count"))
    return names, always


def expressions():
    dashboard = json.loads((HERE / "waybill.dashboard.json").read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids)), "two panels have one id"
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def variables():
    dashboard = json.loads((HERE / "waybill.dashboard.json").read_text())
    return NAME.findall(json.dumps(dashboard["templating"]))


def promtool(*arguments):
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


def main():
    known, always = listed()
    rules = (HERE / "waybill.rules.yml").read_text()
    used = [("an alert", name) for name in NAME.findall(rules)]
    used += [(title, name) for title, text in expressions() for name in NAME.findall(text)]
    used += [("a variable of the dashboard", name) for name in variables()]
    for where, name in used:
        if name not in known:
            sys.exit(f"{where} names {name}, which docs/operations.md does not list")
    if len(sys.argv) > 1:
        told = set(re.findall(r"^# TYPE (\S+)", pathlib.Path(sys.argv[1]).read_text(), re.M))
        for name in told - known:
            sys.exit(f"/metrics has {name}, which docs/operations.md does not list")
        for name in always - told:
            sys.exit(f"docs/operations.md lists {name}, which /metrics does not have")
    if not shutil.which("promtool"):
        print("skipped: promtool is not installed (prometheus; make setup-extras)")
        return
    promtool("check", "rules", str(HERE / "waybill.rules.yml"))
    promtool("test", "rules", str(HERE / "waybill.rules.test.yml"))
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        records = []
        for number, (_, text) in enumerate(expressions()):
            text = text.replace("$__rate_interval", "5m").replace("$instance", ".*")
            records.append({"record": f"dashboard:{number}", "expr": text})
        json.dump({"groups": [{"name": "dashboard", "rules": records}]}, file)
        file.flush()
        promtool("check", "rules", file.name)
    print("ok   alert rules and dashboard")


main()
