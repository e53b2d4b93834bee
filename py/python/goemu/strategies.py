"""Hypothesis strategies for Go's types: `pip install hypothesis`.

    from hypothesis import given
    import goemu, goemu.strategies as go

    p = goemu.open("prog")

    @given(go.from_function(p.main.normalise))
    def test_twice_is_once(args):
        once = p.main.normalise(*args)
        assert p.main.normalise(once) == once
"""

from typing import Any, Optional

from hypothesis import strategies as st

__all__ = ["from_function", "from_type"]

_DEPTH = 4
_ELEMENTS = 12
_ARRAY = 256


def from_function(function: Any) -> "st.SearchStrategy[Any]":
    """Tuples of arguments for a function of a program whose signature is known.

    >>> from_function(p.main.boolInt)
    tuples(booleans())
    """
    if function.signature is None:
        raise ValueError(f"the parameters of {function.name} are not known: p.function(..., sig=) says them")
    return st.tuples(*(from_type(ty) for _, ty in function.params))


def from_type(ty: Any, *, program: Any = None) -> "st.SearchStrategy[Any]":
    """Values of a Go type, as calls take them: `p.types["main.Point"]`, or its name with `program=p`.

    Numbers come from the whole range, lists and maps are short, pointers may be nil. Interfaces, functions, channels and unsafe
    pointers are nil, as no type tells what a program may put there.
    """
    if isinstance(ty, str):
        if program is None:
            raise ValueError("the name of a type needs program=")
        ty = program.types[ty]
    return _of(ty, _DEPTH)


def _of(ty: Any, depth: int) -> "st.SearchStrategy[Any]":
    kind = ty.kind
    if kind == "bool":
        return st.booleans()
    if kind == "int":
        half = 1 << (8 * ty.size - 1)
        return st.integers(-half, half - 1)
    if kind in ("uint", "uintptr"):
        return st.integers(0, (1 << (8 * ty.size)) - 1)
    if kind == "float":
        return st.floats(width=32 if ty.size == 4 else 64)
    if kind == "complex":
        return st.complex_numbers(width=64 if ty.size == 8 else 128)
    if kind == "string":
        return st.text() | st.binary(max_size=64)
    if kind == "struct":
        return _struct(ty, depth)
    if kind == "array":
        return _array(ty, depth)
    if depth == 0:
        return st.none()
    if kind == "slice":
        elem = _known(ty.elem)
        if elem is None:
            return st.none()
        if elem.kind == "uint" and elem.size == 1:
            return st.none() | st.binary(max_size=64)
        return st.none() | st.lists(_of(elem, depth - 1), max_size=_ELEMENTS)
    if kind == "map":
        key, elem = _known(ty.key), _known(ty.elem)
        if key is None or elem is None:
            return st.none()
        keys = _of(key, depth - 1).filter(_hashable)
        return st.none() | st.dictionaries(keys, _of(elem, depth - 1), max_size=_ELEMENTS)
    if kind == "pointer":
        elem = _known(ty.elem)
        return st.none() if elem is None else st.none() | _of(elem, depth - 1)
    return st.none()


def _known(ty: Any) -> Optional[Any]:
    return ty


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    # Go compares strings by their bytes, NaN with nothing.
    return bool(value == value) and not isinstance(value, bytes)


def _struct(ty: Any, depth: int) -> "st.SearchStrategy[Any]":
    fields = [(name, field) for name, field in ty.fields if name != "_"]
    if len({name for name, _ in fields}) != len(fields):
        return st.just(ty.zero())
    return st.builds(lambda values: ty(**values), st.fixed_dictionaries({n: _of(field, depth) for n, field in fields}))


def _array(ty: Any, depth: int) -> "st.SearchStrategy[Any]":
    elem, length = ty.elem, ty.length
    if elem.kind == "uint" and elem.size == 1:
        count = min(length, 4096)
        return st.binary(min_size=count, max_size=count)
    count = min(length, _ARRAY)
    return st.lists(_of(elem, depth), min_size=count, max_size=count)
