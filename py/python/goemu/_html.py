"""HTML for notebooks: narrow, and everything of a guest escaped."""

import os
from html import escape
from typing import Any, Iterable, Sequence

_STYLE = "font-family:monospace;font-size:12px;text-align:left;white-space:pre-wrap;max-width:70ch"
_ROWS = 400


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    head = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td style='{_STYLE}'>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    title = f"<caption style='text-align:left'>{caption}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _color(text: str, color: str) -> str:
    return f"<span style='color:{color}'>{escape(text)}</span>"


def _short(value: Any, most: int = 300) -> str:
    text = repr(value)
    return escape(text if len(text) <= most else text[:most] + "...")


def record(of: Any) -> str:
    rows = [(_color(name, "#0550ae"), _short(of[name])) for name in of.keys()]
    return _table(("field", "value"), rows, escape(str(of._type)))


def type(of: Any) -> str:
    rows = [(_color(name, "#0550ae"), escape(ty), str(offset)) for name, ty, offset in of.layout]
    caption = f"{escape(of.name)}: {escape(of.kind)}, {of.size} bytes"
    return _table(("field", "type", "offset"), rows, caption) if rows else f"<code>{caption}</code>"


def function(of: Any) -> str:
    signature = of.signature or "func(?)"
    return f"<code>{_color(of.name, '#8250df')}{escape(signature[4:])}</code>"


def report(of: Any) -> str:
    color = "#1a7f37" if of.ok else "#cf222e"
    rows = [("outcome", _color(of.outcome, color)), ("result", escape(of.text[:2000]))]
    rows.append(("instructions", f"{of.instructions:,} ({escape(of.runtime)} runtime)"))
    for name, output in (("stdout", of.stdout), ("stderr", of.stderr)):
        if output:
            rows.append((name, escape(output[:2000].decode("utf-8", "replace"))))
    if of.traceback:
        rows.append(("traceback", escape(of.traceback[:4000])))
    return _table(("", escape(of.func)), rows)


def trace(of: Any) -> str:
    colors = {"call": "#8250df", "return": "#1a7f37", "event": "#953800", "written": "#0550ae"}
    rows = []
    for line in of[:_ROWS]:
        text = "  " * min(line.depth, 20) + line.text
        rows.append((escape(line.kind), _color(text, colors.get(line.kind, "inherit"))))
    left = len(of) - len(rows) + of.more
    return _table(("", "trace"), rows, f"{left} more records" if left else "")


def listing(of: Any) -> str:
    rows = []
    for line in of[:_ROWS]:
        place = f"{os.path.basename(line.file)}:{line.line}" if line.file else ""
        mnemonic, _, rest = line.text.partition(" ")
        code = _color(mnemonic, "#8250df") + " " + escape(rest)
        rows.append((_color(place, "#6e7781"), f"{line.address:#x}", code))
    return _table(("line", "address", "instruction"), rows, escape(of.name))
