#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether each error message of the source was printed by a test, or is excused.

messages.py SOURCE-ROOT PRINTED EXCUSED: takes every message out of the calls that make errors in lib/ and cmd/, and
looks for it in PRINTED, the lines that the tests saw on stderr. One that is not there has to be in EXCUSED, a table of
FILE, message as it stands in the source, and why no test here can cause it, with tabs between them. Prints what is wrong,
then a line that counts; fails where a message is in neither, and where EXCUSED names one that is not in the source.
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
                    found.setdefault(message, set()).add(name)
    return found


def read_excused(path):
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if line.strip() and not line.startswith("#"):
                fields = line.rstrip("\n").split("\t")
                if len(fields) != 3 or not all(fields):
                    sys.exit(f"{path}:{number}: FILE, message and reason are wanted, with a tab between them")
                yield fields[0], fields[1]


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
    top, printed_file, excused_file = sys.argv[1:4]
    with open(printed_file, encoding="utf-8", errors="replace") as f:
        printed = sorted(set(f.read().splitlines()))
    own = {m: (p, files) for m, files in collect(top).items() if (p := pattern(m)) and len(m) > 12}
    missing = {m for m, (p, _) in own.items() if not any(p.search(line) for line in printed)}
    excused = list(read_excused(excused_file))
    wrong = [f"not printed by a test, and not excused: {', '.join(sorted(own[m][1]))}\t{m}"
             for m in sorted(missing - {m for _, m in excused})]
    wrong += [f"excused, and not in the source: {file}\t{m}" for file, m in excused
              if m not in own or file not in own[m][1]]
    for file, m in excused:
        if m in own and m not in missing:
            print(f"excused, and printed after all: {file}\t{m}")
    print("\n".join(wrong + [f"{len(own)} messages, {len(own) - len(missing)} printed, {len(missing)} not"]))
    sys.exit(1 if wrong else 0)


main()
