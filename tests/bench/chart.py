# SPDX-License-Identifier: LGPL-2.1-or-later
"""The results as one SVG: a panel a row, each with its own scale from zero; bars are medians, dots the samples."""
from xml.sax.saxutils import escape

WIDTH = 860
LABEL = 90      # names of the bars end here
BAR_END = 660    # the longest bar or dot
BAR = 16
GAP = 6
TITLE = 40
COLOURS = {"floor": "#8a8f98", "vectl": "#1b6ca8", "lxc": "#d9822b", "3 GB": "#1b6ca8", "30 MB": "#8fb9d8",
           "plain": "#8a8f98", "2 VEs": "#8fb9d8", "100 VEs": "#4a90c2", "1000 VEs": "#1b6ca8",
           "10th": "#8fb9d8", "last": "#1b6ca8"}


def text(x, y, words, size=13, anchor="start", fill="#222", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}" '
            f'font-weight="{weight}">{escape(words)}</text>')


def panel(row, top, words):
    """The elements of one row and the height that they take."""
    series = [(name, values) for name, values in row["samples"].items() if values]
    if not series:
        return [], 0
    # An outlier must not flatten the bars: dots beyond the 95th percentile of the slowest are left out, and said.
    limit = max(row["spread"][name]["p95"] for name, _ in series) * 1.02 or 1
    scale = (BAR_END - LABEL - 10) / limit
    out = [text(20, top + 18, row["title"], 15, weight="bold")]
    verdict = words(row)
    if verdict:
        out.append(text(WIDTH - 20, top + 18, verdict, 12, "end", "#555"))
    y = top + TITLE - 10
    for name, values in series:
        median = row["spread"][name]["median"]
        out.append(text(LABEL - 8, y + BAR - 4, name, 13, "end"))
        out.append(f'<rect x="{LABEL}" y="{y}" width="{max(median * scale, 1):.1f}" height="{BAR}" '
                   f'fill="{COLOURS.get(name, "#999")}"/>')
        inside = [v for v in values if v <= limit]
        for index, value in enumerate(inside):
            dot = y + 3 + (index * 7 % 11)  # spread over the bar's height, so that equal samples show
            out.append(f'<circle cx="{LABEL + value * scale:.1f}" cy="{dot}" r="1.6" fill="#222" fill-opacity="0.35"/>')
        note = row["format"](median)
        if len(inside) < len(values):
            note += f"  (+{len(values) - len(inside)} beyond)"
        out.append(text(BAR_END + 10, y + BAR - 4, note, 12))
        y += BAR + GAP
    return out, y - top + 12


def draw(rows, heading, notes, words):
    body = []
    top = 64
    for row in rows:
        elements, height = panel(row, top, words)
        body += elements
        top += height
    for note in notes:
        body.append(text(20, top + 14, note, 11, fill="#555"))
        top += 16
    height = top + 16
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="DejaVu Sans, Liberation Sans, Arial, sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        text(20, 30, heading[0], 18, weight="bold"),
        text(20, 50, heading[1], 12, fill="#555"),
        *body, "</svg>", ""])
