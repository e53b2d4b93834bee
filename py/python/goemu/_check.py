"""`p.check`: calls a function with many arguments, and says which of them a property does not hold for."""

from typing import Any, Callable, Optional


class CheckFailed(AssertionError):
    """A property that does not hold. `args` of the call are in `arguments`."""

    def __init__(self, text: str, arguments: Any, cause: BaseException) -> None:
        super().__init__(text)
        self.arguments = arguments
        self.cause = cause


def check(
    program: Any,
    function: Any,
    holds: Optional[Callable[..., Any]] = None,
    *,
    examples: int = 100,
    allow: Any = (),
) -> int:
    """Calls `function` with random arguments of its types, and shrinks those that fail: a panic, a fault, or `holds(result,
    *args)` that is false or raises. `allow` are exceptions that are fine. Gives the number of calls.
    """
    from hypothesis import HealthCheck, Phase, given, settings

    from .strategies import from_function

    if isinstance(function, str):
        function = program[function]
    allowed = tuple(allow) if isinstance(allow, (tuple, list)) else (allow,)
    state: Any = {"calls": 0, "args": None, "error": None}

    def once(args: Any) -> None:
        state["calls"] += 1
        try:
            result = function(*args)
            if holds is not None and holds(result, *args) is False:
                raise AssertionError(f"the property does not hold: the result is {result!r}")
        except allowed:
            return
        except Exception as error:
            state["args"], state["error"] = args, error
            raise

    run = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )(given(from_function(function))(once))
    try:
        run()
    except Exception:
        if state["error"] is None:
            raise
        shown = ", ".join(repr(arg) for arg in state["args"])
        text = f"{function.name}({shown}): {state['error']}"
        raise CheckFailed(text, state["args"], state["error"]) from state["error"]
    return int(state["calls"])
