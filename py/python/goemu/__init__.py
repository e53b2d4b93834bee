"""Call functions of compiled Go programs: typed, deterministic, without running the program.

    import goemu
    p = goemu.open("prog")
    p.main.fib(20)                                      # 6765
    decode = p.function("decode", sig="func(b []byte, k uint8) (string, error)")
    decode(b"...", 7)                                   # ('text', None)
"""

import os as _os

from ._check import CheckFailed
from ._errors import (
    CallError,
    Deadlock,
    GoError,
    GoExit,
    GoFatal,
    GoFault,
    GoPanic,
    GoemuError,
    Interrupted,
    LoadError,
    MemoryFault,
    NoSuchFunction,
    OutOfFuel,
    OutOfTime,
    OutcomeError,
    Truncated,
    original,
)
from ._goemu import (
    Function,
    FunctionInfo,
    GoFunc,
    GoType,
    Hook,
    HookContext,
    Memory,
    Opaque,
    Package,
    Pointer,
    Program,
    Record,
    Registers,
    Report,
    Session,
    TraceRecord,
    Typed,
    Types,
    WatchedCall,
    __version__,
    lit,
    open,
)
from ._goemu import _forked as _forked
from ._pool import Pool
from ._watch import Coverage, Listing, Trace

if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_forked)

__all__ = [
    "CallError", "CheckFailed", "Coverage", "Deadlock", "Function", "FunctionInfo", "GoError", "GoExit", "GoFatal", "GoFault", "GoFunc",
    "GoPanic", "GoType", "GoemuError", "Hook", "HookContext", "Interrupted", "Listing", "LoadError", "Memory", "MemoryFault",
    "NoSuchFunction", "Opaque", "OutOfFuel", "OutOfTime", "OutcomeError", "Package", "Pointer", "Pool", "Program", "Record",
    "Registers", "Report", "Session", "Trace", "TraceRecord", "Truncated", "Typed", "Types", "WatchedCall", "__version__",
    "lit", "open", "original",
]
