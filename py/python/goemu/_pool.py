"""Many calls on many cores."""

import os
import time
from typing import Any, Callable, Iterable, Iterator, List, Optional

from . import _goemu

# Items that are taken at a time: few at first, so that results of slow calls come soon, and no more than come within a moment.
_FIRST, _MOST, _MOMENT = 16, 4096, 0.1


class Pool:
    """Machines in the state that a program's calls start from, one for each thread.

    >>> with goemu.Pool(p, 2) as pool:
    ...     pool.map(p.main.fib, range(8))
    [0, 1, 1, 2, 3, 5, 8, 13]

    `timeout` is the seconds that each call may take. With `progress=True` a bar of tqdm shows how far it is, where tqdm is
    installed.
    """

    def __init__(
        self,
        program: Any,
        threads: Optional[int] = None,
        *,
        timeout: Optional[float] = None,
        progress: bool = False,
    ) -> None:
        self.program = program
        self.threads = threads or os.cpu_count() or 1
        self.timeout = timeout
        self.progress = progress

    def map(self, function: Any, items: Iterable[Any]) -> List[Any]:
        """The results for each item, in order. The first call that does not return is raised."""
        return list(self.imap(function, items))

    def starmap(self, function: Any, items: Iterable[Iterable[Any]]) -> List[Any]:
        """`map` with several arguments for each call."""
        return list(self._run(function, (tuple(item) for item in items), False))

    def reports(self, function: Any, items: Iterable[Any]) -> List[Any]:
        """The report of each call; nothing that a call does is raised."""
        return list(self._run(function, ((item,) for item in items), True))

    def imap(self, function: Any, items: Iterable[Any]) -> Iterator[Any]:
        """`map` whose results come while others are worked on: items are taken as they are needed, so they may be without end."""
        return self._run(function, ((item,) for item in items), False)

    def _run(self, function: Any, jobs: Iterable[Any], reports: bool) -> Iterator[Any]:
        if isinstance(function, str):
            function = self.program[function]
        if not isinstance(function, _goemu.Function):
            raise TypeError("a pool calls functions of a program")
        jobs, most = iter(jobs), _FIRST
        with _Bar(self.progress) as bar:
            while True:
                chunk = _some(jobs, most)
                if not chunk:
                    return
                most = min(2 * most, _MOST)
                yield from _goemu._pool_run(function, chunk, self.threads, self.timeout, reports, bar.tell)
                bar.done(len(chunk))

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: Any) -> None:
        pass


def _some(jobs: Iterator[Any], most: int) -> List[Any]:
    """The next jobs."""
    chunk: List[Any] = []
    end = time.monotonic() + _MOMENT
    for job in jobs:
        chunk.append(job)
        if len(chunk) >= most or time.monotonic() >= end:
            break
    return chunk


class _Bar:
    """A bar of tqdm, if there is one and it is wanted."""

    def __init__(self, wanted: bool) -> None:
        self.bar: Any = None
        self.before = 0
        if wanted:
            try:
                from tqdm.auto import tqdm  # type: ignore[import-untyped,import-not-found,unused-ignore]

                self.bar = tqdm(unit="call")
            except ImportError:
                pass

    @property
    def tell(self) -> Optional[Callable[[int], None]]:
        return self._tell if self.bar is not None else None

    def _tell(self, done: int) -> None:
        self.bar.update(self.before + done - self.bar.n)

    def done(self, count: int) -> None:
        self.before += count
        if self.bar is not None:
            self._tell(0)

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: Any) -> None:
        if self.bar is not None:
            self.bar.close()
