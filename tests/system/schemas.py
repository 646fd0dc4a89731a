#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks what vectl printed as JSON in the tests against the installed schemas.

schemas.py SCHEMA-FOLDER RECORDS-FOLDER [VERB...]: RECORDS as record.c keeps them; each VERB must be among them. Prints
what is wrong and a closing line; exit status 1 when something is.
"""
import json
import os
import sys

import jsonschema

schema_folder, records, wanted = sys.argv[1], sys.argv[2], set(sys.argv[3:])
with open(os.path.join(schema_folder, "index.json")) as f:
    index = json.load(f)
validators = {}


def closed(schema):
    """What a schema has no word for is wrong here: its readers would not know of it. Schemas may say otherwise."""
    if isinstance(schema, list):
        return [closed(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {k: {n: closed(s) for n, s in v.items()} if k in ("properties", "$defs") else closed(v)
              for k, v in schema.items()}
    if "properties" in schema and "additionalProperties" not in schema:
        schema["unevaluatedProperties"] = False
    return schema


def validator(name):
    if name not in validators:
        with open(os.path.join(schema_folder, name)) as f:
            schema = json.load(f)
        jsonschema.Draft202012Validator.check_schema(schema)
        validators[name] = jsonschema.Draft202012Validator(closed(schema))
    return validators[name]


def verb_of(args):
    """The verb, with what it does for `image`: as the index names them."""
    words = []
    skip = False
    for a in args:
        if skip:
            skip = False
        elif a in ("--root", "--progress", "--color"):
            skip = True
        elif a == "--":
            break
        elif not a.startswith("-"):
            words.append(a)
    verb = index["aliases"].get(words[0], words[0]) if words else ""
    both = " ".join([verb] + words[1:2])
    return both if both in index["documents"] else verb


def no_such_twice(pairs):
    keys = [k for k, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError("a member stands there twice")
    return dict(pairs)


def parse(text):
    load = lambda t: json.loads(t, object_pairs_hook=no_such_twice)
    try:
        return [load(text)]
    except ValueError:
        return [load(line) for line in text.splitlines()]


def reason(document, names):
    """Nothing where one of the schemas fits; else what the first one has to say."""
    first = None
    for name in names:
        error = next(iter(sorted(validator(name).iter_errors(document), key=lambda e: list(map(str, e.path)))), None)
        if error is None:
            return None
        first = first or f"{name}: {'.'.join(map(str, error.path))}: {error.message[:300]}"
    return first


count, seen, wrong = 0, set(), 0
for file in sorted(os.listdir(records)):
    if not file.endswith(".args"):
        continue
    base = os.path.join(records, file[:-len(".args")])
    with open(base + ".args", "rb") as f:
        args = f.read().decode("utf-8", "replace").split("\0")[:-1]
    try:
        with open(base + ".out", "rb") as f:
            text = f.read().decode("utf-8")
        documents = parse(text) if text.strip() else []
    except OSError:
        continue
    except ValueError as e:
        # What was killed in the middle of a line is no fault of the format.
        if text.endswith("\n"):
            print(f"vectl {' '.join(args)}: no JSON: {e}: {text[:200]!r}")
            wrong += 1
        continue
    verb = verb_of(args)
    known = index["documents"].get(verb)
    for document in documents:
        count += 1
        general = [n for n in index["any"]]
        is_error = isinstance(document, dict) and "error" in document and "format" in document
        why = reason(document, general if is_error else (known or []) + general)
        if known is None and why:
            why = f"no schema for this verb in index.json: {str(document)[:200]}"
        if why:
            print(f"vectl {' '.join(args)}: {why}")
            wrong += 1
        elif not is_error and "percent" not in document:
            seen.add(verb)
for verb in sorted(wanted - seen):
    print(f"{verb}: no test printed its document")
    wrong += 1
print(f"{count} documents of {len(seen)} verbs checked, {wrong} wrong")
sys.exit(1 if wrong else 0)
