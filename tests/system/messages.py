#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which error messages of the source no test has printed.

messages.py SOURCE-ROOT PRINTED: takes every message out of the calls that make errors in lib/ and cmd/, and looks for it
in PRINTED, the lines that the tests saw on stderr. Prints those that are not there, and last "MESSAGES PRINTED".
"""
import glob
import os
import re
import sys

# The argument that is the message, from 0; `refuse` and `fail` are others in other files.
ARGUMENT = {"error_set": 5, "spec_fail": 5, "cli_usage": 2, "cli_error": 4}
LOCAL = {
    "lib/base/json.c": {"refuse": 3},
    "lib/plan/plan.c": {"refuse": 2},
    "cmd/ve-unpack/": {"refuse": 1, "fail": 2},
}
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
CONVERSION = re.compile(r"%(?:%|[-+ #0]*[\d*]*(?:\.[\d*]+)?(?:hh|h|ll|l|z|j|t)?[a-zA-Z])")


def strip_comments(text):
    return re.sub(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|//[^\n]*',
                  lambda m: m.group(0) if m.group(0).startswith('"') else " ", text, flags=re.S)


def arguments(text, at):
    """The arguments of the call whose opening parenthesis is at `at`, or None where it never closes."""
    depth, start, found, i = 0, at + 1, [], at
    while i < len(text):
        c = text[i]
        if c == '"' or c == "'":
            end = i + 1
            while text[end] != c:
                end += 2 if text[end] == "\\" else 1
            i = end
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth == 0:
                return found + [text[start:i]]
        elif c == "," and depth == 1:
            found.append(text[start:i])
            start = i + 1
        i += 1
    return None


def messages_of(argument):
    """Literals side by side are one; those of a condition (`a ? "x" : "y"`) are one each."""
    for part in re.split(r"\?|:(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", argument):
        words = "".join(m.group(1) for m in LITERAL.finditer(part))
        if words:
            yield words.replace('\\"', '"').replace("\\\\", "\\").replace("\\n", " ").replace("\\t", " ")


def collect(top):
    found = {}
    for path in sorted(glob.glob(f"{top}/lib/**/*.c", recursive=True) + glob.glob(f"{top}/cmd/**/*.c", recursive=True)):
        name = os.path.relpath(path, top)
        with open(path, encoding="utf-8") as f:
            text = strip_comments(f.read())
        functions = dict(ARGUMENT)
        for prefix, local in LOCAL.items():
            if name.startswith(prefix):
                functions.update(local)
        for call in re.finditer(r"\b(%s)\(" % "|".join(functions), text):
            given = arguments(text, call.end() - 1)
            number = functions[call.group(1)]
            if given and len(given) > number:
                for message in messages_of(given[number]):
                    found.setdefault(message, name)
    return found


def pattern(message):
    parts, last, fixed = [], 0, ""
    for m in CONVERSION.finditer(message):
        fixed += message[last:m.start()]
        parts += [re.escape(message[last:m.start()]), "%" if m.group(0) == "%%" else ".*"]
        last = m.end()
    fixed += message[last:]
    parts.append(re.escape(message[last:]))
    # One that only passes on what others said has no words of its own.
    return re.compile("".join(parts)) if len(re.findall(r"[A-Za-z]", fixed)) >= 4 else None


def main():
    top, printed_file = sys.argv[1:3]
    with open(printed_file, encoding="utf-8", errors="replace") as f:
        printed = sorted(set(f.read().splitlines()))
    own = {m: (p, where) for m, where in collect(top).items() if (p := pattern(m)) and len(m) > 12}
    missing = [f"{where}\t{message}" for message, (p, where) in own.items() if not any(p.search(x) for x in printed)]
    print("\n".join(sorted(missing) + [f"{len(own)} {len(own) - len(missing)}"]))


main()
