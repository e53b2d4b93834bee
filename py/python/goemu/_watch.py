"""What was seen of a run: coverage, traces, listings."""

import os
from typing import Any, Dict, Iterable, List, Set, Tuple


class Coverage:
    """Which lines and blocks ran. Coverages add up: `a | b`, and `a - b` is what only `a` ran.

    >>> len(p.main.fib.coverage(2).lines - p.main.fib.coverage(1).lines)
    1
    """

    def __init__(self, lines: Iterable[Tuple[str, int]], blocks: Iterable[Tuple[int, int]], report: Any = None) -> None:
        self.lines: Set[Tuple[str, int]] = set(lines)
        self.blocks: Set[Tuple[int, int]] = set(blocks)
        self.report = report

    def __or__(self, other: "Coverage") -> "Coverage":
        return Coverage(self.lines | other.lines, self.blocks | other.blocks)

    def __sub__(self, other: "Coverage") -> "Coverage":
        return Coverage(self.lines - other.lines, self.blocks - other.blocks)

    def __len__(self) -> int:
        return len(self.blocks)

    def by_file(self) -> Dict[str, List[int]]:
        """The lines of each file, in order."""
        files: Dict[str, List[int]] = {}
        for file, line in sorted(self.lines):
            files.setdefault(file, []).append(line)
        return files

    def __repr__(self) -> str:
        return f"<goemu.Coverage {len(self.lines)} lines, {len(self.blocks)} blocks>"


class Trace(List[Any]):
    """The records of a call, in order; `report` is the call's, `more` how many records were left out."""

    def __init__(self, records: Iterable[Any], report: Any = None, more: int = 0) -> None:
        super().__init__(records)
        self.report = report
        self.more = more

    def __str__(self) -> str:
        return "\n".join(str(record) for record in self)

    def __repr__(self) -> str:
        return f"<goemu.Trace {len(self)} records>"

    def _repr_html_(self) -> str:
        from ._html import trace

        return trace(self)


class Listing(List[Any]):
    """The instructions of a function."""

    def __init__(self, name: str, lines: Iterable[Any]) -> None:
        super().__init__(lines)
        self.name = name

    def __str__(self) -> str:
        rows = []
        for line in self:
            place = f"{os.path.basename(line.file)}:{line.line}" if line.file else "?"
            rows.append(f"{place:<20} {line.address:#x} {line.bytes.hex():<22} {line.text}")
        return "\n".join(rows)

    def __repr__(self) -> str:
        return f"<goemu.Listing {self.name}: {len(self)} instructions>"

    def _repr_html_(self) -> str:
        from ._html import listing

        return listing(self)
