"""How hooks ask for their context."""

import inspect
from typing import Any, Optional


def context_parameter(hook: Any) -> Optional[str]:
    """The parameter that the context is given to: one annotated `goemu.HookContext`, or a keyword-only `context`."""
    try:
        parameters = inspect.signature(hook).parameters.values()
    except (TypeError, ValueError):
        return None
    by_keyword = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    for parameter in parameters:
        note = parameter.annotation
        name = note if isinstance(note, str) else getattr(note, "__name__", "")
        annotated = name.rpartition(".")[2] == "HookContext" and parameter.kind in by_keyword
        if annotated or (parameter.name == "context" and parameter.kind is inspect.Parameter.KEYWORD_ONLY):
            return parameter.name
    return None
