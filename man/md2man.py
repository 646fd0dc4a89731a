#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""md2man.py PAGE.in SOURCE.md: the page with the text of SOURCE.md where it says @text@ alone on a line.

For a document that people read where it lies and as a manual page: one source, so that the two cannot differ. Knows
what such documents use: headings, paragraphs, lists, tables, fenced code, `code`, *stress*, **more of it**, [links](to).
The first heading is left out, since the page has its own NAME.
"""
import re
import sys

WIDTH = 78


def plain(text):
    """Text that troff takes for nothing but text."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")


def inline(text):
    out = []
    for part in re.split(r"(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*|\[[^\]]+\]\([^)]+\))", text):
        if not part:
            continue
        if part.startswith("`"):
            out.append("\\fB" + plain(part[1:-1]) + "\\fR")
        elif part.startswith("**"):
            out.append("\\fB" + plain(part[2:-2]) + "\\fR")
        elif part.startswith("*") and len(part) > 2:
            out.append("\\fI" + plain(part[1:-1]) + "\\fR")
        elif part.startswith("[") and "](" in part:
            out.append(plain(part[1 : part.index("](")]))
        else:
            out.append(plain(part))
    return "".join(out)


def put(text, out):
    """Filled lines, a new one after the end of a sentence, none that begins with a control character."""
    line = ""
    words = inline(text).split()
    for i, word in enumerate(words):
        if line and len(line) + 1 + len(word) > WIDTH:
            out.append(line)
            line = ""
        if not line and word[0] in ".'":
            word = "\\&" + word
        line += (" " if line else "") + word
        if re.search(r"[.?!]$", word) and i + 1 < len(words) and words[i + 1][0].isupper():
            out.append(line)
            line = ""
    if line:
        out.append(line)


def cells(row):
    return [c.strip() for c in re.split(r"(?<!\\)\|", row.strip().strip("|"))]


def put_table(rows, out):
    """The first column is what is told about, the others are told of it."""
    out.append(".Bl -tag -width Ds")
    for row in rows[2:]:
        first, *others = cells(row)
        out.append(".It " + inline(first))
        put(" ".join(o for o in others if o), out)
    out.append(".El")


def put_list(items, numbered, out):
    out.append(".Bl -enum" if numbered else ".Bl -bullet")
    for item in items:
        out.append(".It")
        put(item, out)
    out.append(".El")


def convert(text):
    out, lines, i, begun = [], text.split("\n"), 0, False
    item = re.compile(r"(?:[-*]|(\d+)\.) +(.*)")

    def paragraph():
        if begun:
            out.append(".Pp")

    while i < len(lines):
        line = lines[i]
        heading = re.match(r"(#+) +(.*)", line)
        if not line.strip():
            i += 1
        elif heading:
            level = len(heading[1])
            if level > 1:
                title = re.sub(r"[`*]", "", heading[2])
                out.append(".Sh " + plain(title.upper()) if level == 2 else ".Ss " + plain(title))
            begun, i = False, i + 1
        elif line.startswith("```"):
            paragraph()
            out.append(".Bd -literal -offset indent")
            i += 1
            while i < len(lines) and not lines[i].startswith("```"):
                out.append(("\\&" if lines[i][:1] in tuple(".'") else "") + plain(lines[i]))
                i += 1
            out.append(".Ed")
            begun, i = True, i + 1
        elif line.startswith("|"):
            rows = []
            while i < len(lines) and lines[i].startswith("|"):
                rows.append(lines[i])
                i += 1
            put_table(rows, out)
            begun = True
        elif item.match(line):
            items, numbered = [], bool(item.match(line)[1])
            while i < len(lines) and (item.match(lines[i]) or lines[i].startswith("  ")):
                found = item.match(lines[i])
                if found:
                    items.append(found[2])
                else:
                    items[-1] += " " + lines[i].strip()
                i += 1
            put_list(items, numbered, out)
            begun = True
        else:
            words = []
            while i < len(lines) and lines[i].strip() and not re.match(r"#+ |```|\||[-*] |\d+\. ", lines[i]):
                words.append(lines[i].strip())
                i += 1
            if not words:  # what looks like the begin of something, and is not
                words, i = [line.strip()], i + 1
            paragraph()
            put(" ".join(words), out)
            begun = True
    return "\n".join(out)


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        page = f.read()
    with open(sys.argv[2], encoding="utf-8") as f:
        text = f.read()
    sys.stdout.write(page.replace("@text@\n", convert(text) + "\n"))


main()
