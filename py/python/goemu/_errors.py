"""Exceptions, and what stands for values that are no values."""

import types
from typing import Any, List, Optional, Tuple


class GoemuError(Exception):
    """What goemu raises of its own."""


class LoadError(GoemuError):
    """A file that cannot be used, in the words of the command line."""


class NoSuchFunction(GoemuError, LookupError):
    """No function has this name, or several have."""


class CallError(GoemuError):
    """A call that cannot be made or carried out."""


class MemoryFault(GoemuError, LookupError):
    """No guest memory there."""


class OutcomeError(GoemuError):
    """A call that did not return. `report` has the rest."""

    report: Any

    def __init__(self, text: str, report: Any = None) -> None:
        super().__init__(text)
        self.report = report


class GoPanic(OutcomeError):
    """A panic that nobody recovered.

    `value` is what `panic` was given, `text` what Go prints of it, `go_traceback` the traceback as Go prints it.
    """

    value: Any
    text: str
    go_traceback: Optional[str]
    frames: List[Tuple[str, str, int]]


class GoFatal(OutcomeError):
    """A fatal error of Go's runtime."""


class GoExit(OutcomeError):
    """The program ended itself, with status `code`."""

    code: int


class GoFault(OutcomeError):
    """A fault that Go makes no panic of."""


class OutOfFuel(OutcomeError):
    """The limit of instructions was reached: `goemu.open(..., fuel=)` or `p.fuel =` raise it."""


class OutOfTime(OutcomeError):
    """The deadline has passed."""


class Interrupted(OutcomeError):
    """Somebody ended the call."""


class Deadlock(OutcomeError):
    """All goroutines are asleep."""


class GoError(Exception):
    """A Go `error` that is not nil, as functions return it: a value, which can be raised.

    `text` is what its `Error` method gives, `value` the error itself. One that Python makes, `GoError("text")`, is what `errors.New` gives.
    """

    text: Any
    value: Any

    def __init__(self, text: Any, value: Any = None) -> None:
        super().__init__(text)
        self.text = text
        self.value = value

    @property
    def _go_value(self) -> Any:
        return self.value

    def __eq__(self, other: object) -> bool:
        if isinstance(other, GoError):
            return bool(self.text == other.text and self.value == other.value)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"GoError({self.text!r})"


class Truncated:
    """The beginning of a value that is longer than what is read: `value` of `length`."""

    def __init__(self, value: Any, length: int) -> None:
        self.value = value
        self.length = length

    def __repr__(self) -> str:
        return f"<the beginning of {self.length}: {self.value!r}>"


class _Original:
    def __repr__(self) -> str:
        return "goemu.original"


original = _Original()
"""What a hook returns where the function itself is to run."""


def as_error(error: Any) -> BaseException:
    """The error that a function returned, to be raised."""
    return error if isinstance(error, BaseException) else GoError(str(error), error)


_CLASSES = {
    "panicked": GoPanic,
    "exited": GoExit,
    "faulted": GoFault,
    "out_of_fuel": OutOfFuel,
    "out_of_time": OutOfTime,
    "interrupted": Interrupted,
    "deadlock": Deadlock,
}


def _plain(text: str) -> str:
    """A guest's text, without what terminals take for commands."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def exception(report: Any) -> OutcomeError:
    """The exception that stands for how a call ended, with Go's frames in its traceback."""
    kind = GoFatal if report.fatal else _CLASSES.get(report.outcome, OutcomeError)
    text = _plain(report.text)
    if kind is OutOfFuel:
        text += " (raise it with fuel=)"
    if kind is OutOfTime:
        text += " (raise it with timeout=)"
    error = kind(text, report)
    if isinstance(error, GoPanic):
        error.value = report.panic_value
        error.text = report.panic_text
        error.go_traceback = report.traceback
        error.frames = report.frames
    if isinstance(error, GoExit):
        error.code = report.exit_code
    return error.with_traceback(_frames(report.frames))


def _frames(frames: List[Tuple[str, str, int]]) -> Optional[types.TracebackType]:
    """A Python traceback whose frames are named like Go's. `frames` has the innermost first."""
    chain: Optional[types.TracebackType] = None
    for name, file, line in frames[:50]:
        try:
            chain = _frame(name, file, line, chain)
        except Exception:  # A name or line that Python cannot have: the text has it.
            break
    return chain


def _frame(name: str, file: str, line: int, inner: Optional[types.TracebackType]) -> types.TracebackType:
    code = compile("raise _go", file.replace("\0", "?"), "exec").replace(co_name=name, co_firstlineno=line)
    if hasattr(code, "co_qualname"):
        code = code.replace(co_qualname=name)
    try:
        exec(code, {"_go": _Marker(), "__name__": "go", "__loader__": None})
    except _Marker as marker:
        own = marker.__traceback__
        assert own is not None and own.tb_next is not None
        at = own.tb_next
        return types.TracebackType(inner, at.tb_frame, at.tb_lasti, line)
    raise AssertionError


class _Marker(Exception):
    pass
