"""Pickles: programs go by path, checksum and settings, all else by what it is of."""

import functools
import os
from typing import Any, Dict, List, Optional, Tuple

from . import _goemu
from ._errors import LoadError


def program(source: Any, checksum: Optional[str], settings: Dict[str, Any]) -> Any:
    """The program of a pickle: one for each process and settings."""
    if checksum is None:
        return _goemu.open(source, **settings)
    frozen = tuple(sorted((name, _frozen(value)) for name, value in settings.items()))
    return _opened(tuple(source), checksum, frozen, os.getpid())


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return ("dict", tuple(sorted(value.items())))
    if isinstance(value, list):
        return ("list", tuple(value))
    return value


def _thawed(value: Any) -> Any:
    if isinstance(value, tuple):
        return dict(value[1]) if value[0] == "dict" else list(value[1])
    return value


@functools.lru_cache(maxsize=16)
def _opened(paths: Tuple[Any, ...], checksum: str, settings: Tuple[Tuple[str, Any], ...], process: int) -> Any:
    files: List[Any] = list(paths)
    try:
        found = _goemu._checksum(files)
    except OSError as error:
        raise LoadError(f"the pickled program is not here: {error}") from error
    if found != checksum:
        raise LoadError(f"{files[0]} is not the file that was pickled: its checksum is another")
    source = files[0] if len(files) == 1 else files
    return _goemu.open(source, **{name: _thawed(value) for name, value in settings})


def function(of: Any, name: str, sig: Optional[str], captures: Optional[str], raises: bool) -> Any:
    return of.function(name, sig, captures=captures, raises=raises)


def type_(of: Any, name: str) -> Any:
    return of.types[name]


def record(of: Any, name: str, values: List[Any]) -> Any:
    return of.types[name](*values)


def typed(of: Any, name: str, value: Any) -> Any:
    return of.types[name](value)
