#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check_schemas.py VECTL SCHEMA-FOLDER: the schemas are schemas, and each verb of `vectl --help` has its own. TAP."""
import json
import os
import re
import subprocess
import sys

vectl, folder = sys.argv[1:]
n = 0


def result(what, wrong):
    global n
    n += 1
    print(f"{'not ok' if wrong else 'ok'} {n} - {what}")
    for w in wrong:
        print(f"# {w}")


with open(os.path.join(folder, "index.json")) as f:
    index = json.load(f)
files = sorted(f for f in os.listdir(folder) if f.endswith(".schema.json"))
named = {f for names in index["documents"].values() for f in names} | set(index["any"])
result("the index names files that are there", sorted(named - set(files)))
result("each file is named in the index", sorted(set(files) - named))

text = subprocess.run([vectl, "--help"], capture_output=True, text=True, check=True).stdout
verbs = re.findall(r"^  ([a-z]+) ", re.search(r"^Commands:\n(.*?)\n\n", text, re.S | re.M)[1], re.M)
known = {d.split(" ")[0] for d in index["documents"]} | set(index["none"])
result("each verb has a schema, or is said to have none", [v for v in verbs if v not in known] + (
    [] if len(verbs) >= 15 else [f"only {len(verbs)} verbs were found"]))
result("no verb of the index is unknown", sorted(known - set(verbs)))

try:
    import jsonschema
except ImportError:
    n += 1
    print(f"ok {n} - each is a JSON Schema # SKIP python3-jsonschema is not installed")
else:
    wrong = []
    for file in files:
        with open(os.path.join(folder, file)) as f:
            schema = json.load(f)
        if schema.get("$schema") != "https://json-schema.org/draft/2020-12/schema" or "title" not in schema:
            wrong.append(f"{file}: no $schema of draft 2020-12, or no title")
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as e:
            wrong.append(f"{file}: {e.message}")
    result("each is a JSON Schema of draft 2020-12", wrong)
print(f"1..{n}")
