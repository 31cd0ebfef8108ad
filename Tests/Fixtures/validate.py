"""Validates the schemas, the examples of protocol.md, asyncapi.yaml, and messages: validate.py DOCS [MESSAGES.ndjson]

Each line of MESSAGES is {"schema": "event", "message": …}. Prints what is wrong, and how much was looked at.
"""
import json
import pathlib
import re
import sys

import jsonschema
import yaml

docs = pathlib.Path(sys.argv[1])
problems = []
schemas = {path.name.split(".")[0]: json.loads(path.read_text()) for path in sorted((docs / "schemas").glob("*.schema.json"))}
for name, schema in schemas.items():
    jsonschema.Draft202012Validator.check_schema(schema)
validators = {name: jsonschema.Draft202012Validator(schema) for name, schema in schemas.items()}


def check(where, name, message):
    for error in validators[name].iter_errors(message):
        best = jsonschema.exceptions.best_match([error])
        problems.append(f"{where}: {best.json_path}: {best.message[:300]}")


text = (docs / "protocol.md").read_text()
examples = re.findall(r"<!-- schema: (\S+)\.schema\.json -->\n```json\n(.*?)```", text, re.S)
if text.count("```json") != len(examples):
    problems.append("protocol.md: an example names no schema")
for number, (name, example) in enumerate(examples, 1):
    check(f"protocol.md example {number}", name, json.loads(example))
    if name == "signed-command":
        check(f"protocol.md example {number}, its body", "command", json.loads(json.loads(example)["body"]))
if set(schemas) - {name for name, _ in examples}:
    problems.append(f"protocol.md: no example of {sorted(set(schemas) - {name for name, _ in examples})}")


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


api = yaml.safe_load((docs / "asyncapi.yaml").read_text())
links = list(references(api))
for link in links:
    if link.startswith("#/"):
        node = api
        for part in link[2:].split("/"):
            node = node.get(part) if isinstance(node, dict) else None
        if node is None:
            problems.append(f"asyncapi.yaml: {link} leads nowhere")
    elif not (docs / link).exists():
        problems.append(f"asyncapi.yaml: {link} is not there")

messages = 0
if len(sys.argv) > 2:
    for line in pathlib.Path(sys.argv[2]).read_text().splitlines():
        entry = json.loads(line)
        check(f"message {messages + 1}", entry["schema"], entry["message"])
        messages += 1
for problem in problems[:40]:
    print(problem)
print(f"{len(schemas)} schemas, {len(examples)} examples, {len(links)} links, {messages} messages, {len(problems)} problems")
sys.exit(1 if problems else 0)
