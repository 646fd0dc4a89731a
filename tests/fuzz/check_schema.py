#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check_schema.py CORPUS VE.JSON.SCHEMA.JSON VECTL SOURCE-ROOT: the schema and the parser say the same. TAP.

One corpus, of the key table, goes to both: what the parser takes the schema takes; what has the wrong form both refuse.
And the schema has each key that can be set, none that is refused, and takes the examples that the manual page has.
"""
import json
import re
import subprocess
import sys

corpus, schema_file, vectl, top = sys.argv[1:]
n = 0


def result(what, wrong):
    global n
    n += 1
    print(f"{'not ok' if wrong else 'ok'} {n} - {what}")
    for w in wrong[:20]:
        print(f"# {w}")


with open(schema_file) as f:
    schema = json.load(f)


def find(path):
    """The schema of a key of the table, `*` for any name."""
    at = schema
    for part in path.split("."):
        at = (list(at["patternProperties"].values())[-1] if part == "*" and "patternProperties" in at
              else at.get("properties", {}).get(part))
        if at is None:
            return None
    return at


def row_in_schema(key):
    try:
        return find(key)
    except (KeyError, IndexError):
        return None


keys = json.loads(subprocess.run([vectl, "help", "keys", "--json"], capture_output=True, check=True).stdout)["keys"]
lacking = [k["key"] for k in keys if k["supported"] and not row_in_schema(k["key"])]
result("the schema has each key that is carried out", lacking + ([] if len(keys) > 80 else ["next to no keys"]))
result("and none that is refused", [k["key"] for k in keys if not k["supported"] and row_in_schema(k["key"])])

try:
    import jsonschema
except ImportError:
    for what in "it is a JSON Schema of draft 2020-12", "the parser and the schema agree", "examples are valid":
        n += 1
        print(f"ok {n} - {what} # SKIP python3-jsonschema is not installed")
    print(f"1..{n}")
    sys.exit(0)

wrong = []
try:
    jsonschema.Draft202012Validator.check_schema(schema)
except jsonschema.SchemaError as e:
    wrong.append(e.message)
if schema.get("$schema") != "https://json-schema.org/draft/2020-12/schema":
    wrong.append("no $schema of draft 2020-12")
result("it is a JSON Schema of draft 2020-12", wrong)

check = jsonschema.Draft202012Validator(schema)
wrong, counts = [], {"good": 0, "bad": 0, "odd": 0}
for line in subprocess.run([corpus], capture_output=True, check=True, text=True).stdout.splitlines():
    one = json.loads(line)
    counts[one["expect"]] += 1
    try:
        document = json.loads(one["document"])
    except ValueError:
        continue
    fits = check.is_valid(document)
    say = f'{one["expect"]}: {one["document"]}: parser {one["taken"]} ({one["why"]}), schema {fits}'
    if one["taken"] != (one["expect"] == "good") or fits != (one["expect"] != "bad"):
        wrong.append(say)
if min(counts.values()) < 10 or sum(counts.values()) < 500:
    wrong.append(f"the corpus is too small: {counts}")
result(f"the parser and the schema agree: {counts}", wrong)

wrong = []
with open(f"{top}/man/ve.json.5.in") as f:
    page = f.read()
examples = re.findall(r"^\{\n.*?^\}", page, re.S | re.M)
for text in examples:
    for e in check.iter_errors(json.loads(text)):
        wrong.append(f"ve.json(5): {e.message}")
if not examples:
    wrong.append("no example was found in ve.json(5)")
result("the examples of ve.json(5) are valid", wrong)
print(f"1..{n}")
