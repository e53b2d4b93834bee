"""Whatever Python gives, the interpreter lives and says what is wrong."""

import math
import random

import pytest

import goemu

class Bad:
    def __index__(self):
        raise ZeroDivisionError("index")

    def __iter__(self):
        yield 1
        raise ZeroDivisionError("iter")

    def __len__(self):
        return 1 << 40

    def __hash__(self):
        raise ZeroDivisionError("hash")

    def items(self):
        return [1, 2, 3]


CYCLE = []
CYCLE.append(CYCLE)
DICT = {}
DICT["next"] = DICT
ODD = [
    None, True, False, 0, 1, -1, 127, 128, 255, 256, 1 << 31, 1 << 63, (1 << 64) - 1, 1 << 64, -(1 << 63), 10**40, 0.0, -0.0, 1.5,
    1e300, math.inf, math.nan, 1j, complex(math.nan, 1), "", "text", "\0", "\udc80", "\U0001f600" * 50, b"", b"\xff\0", bytearray(b"x"),
    memoryview(b"abc"), Bad(), CYCLE, DICT, object, len, math, Ellipsis, NotImplemented, range(3), goemu, goemu.lit("nil"),
    goemu.lit("{{{"), goemu.lit(""), goemu.original, slice(0, 8), slice(0, 1 << 62), {1, 2}, frozenset(), iter([1]),
]


def junk(chance, depth=3):
    """Something that nobody would give a function."""
    kind = chance.randrange(8 if depth else 5)
    if kind < 5:
        return chance.choice(ODD)
    inner = [junk(chance, depth - 1) for _ in range(chance.randrange(4))]
    if kind == 5:
        return inner
    if kind == 6:
        return tuple(inner)
    names = ["name", "next", "tags", "any", "x", "y", "n", "r", 5]
    return {chance.choice(names): value for value in inner}


FUNCTIONS = ["sumMap", "byPoint", "byAny", "describe", "totalArea", "codeOf", "applyTo", "depth", "takeNode", "mixed",
             "scale", "check", "parts", "ring", "handles", "nested", "byWide", "byArray", "double"]


@pytest.fixture(scope="module")
def functions(bin_dir):
    p = goemu.open(bin_dir / "typed-go1.27", fuel=20_000_000)
    return [p["main." + name] for name in FUNCTIONS if "main." + name in p]


FINE = (TypeError, OverflowError, ValueError, ZeroDivisionError, LookupError, RecursionError, goemu.GoemuError, goemu.GoError)


def test_arguments(functions):
    chance = random.Random(1)
    for _ in range(4000):
        f = chance.choice(functions)
        count = chance.choice([len(f.params)] * 5 + [0, 1, 9])
        args = [junk(chance) for _ in range(count)]
        try:
            repr(f(*args))
        except FINE:
            pass


def test_names_types_and_settings(functions, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    p = functions[0].program
    chance = random.Random(2)
    for _ in range(400):
        value = junk(chance)
        name = value if isinstance(value, str) else "".join(chr(chance.randrange(1, 300)) for _ in range(chance.randrange(12)))
        for use in (
            lambda: p[name], lambda: p.types[name], lambda: getattr(p, name), lambda: p.function(name, sig=name),
            lambda: p.function("main.double", sig=name), lambda: p.types["main.point"](value, **{name: value}),
            lambda: p.types["main.node"](value), lambda: p.types["[]int"].literal(name), lambda: p.disassemble(value),
            lambda: p.observe(value).remove(), lambda: goemu.open(value), lambda: p[value], lambda: p.mem[value],
            lambda: p.mem.value(5, value), lambda: goemu.open(b"", seed=value), lambda: p.functions(name), lambda: p.xrefs(value),
            lambda: p.check(value), lambda: goemu.Pool(p, 1).map(functions[0], [value]), lambda: goemu.lit(value),
            lambda: p.types["main.point"](1, 2).__setattr__(name, value), lambda: p.mem.__setitem__(value, value),
        ):
            try:
                use()
            except (SystemError, MemoryError):
                raise
            except Exception as error:
                assert type(error).__name__ != "PanicException", error


def test_values_come_back_as_they_went(functions):
    p = functions[0].program
    node = p["main.takeNode"]
    for seed in range(200):
        chance = random.Random(seed)
        name = "".join(chr(chance.randrange(1, 0x2000)) for _ in range(5))
        record = {"name": name, "tags": {"a": [1, chance.randrange(100)]}, "any": None}
        assert node(record)[0] == name


def test_deep_and_cyclic_values_end(functions):
    p = functions[0].program
    deep = None
    for _ in range(5000):
        deep = {"name": "x", "next": deep}
    with pytest.raises(TypeError, match="nested more than"):
        p["main.depth"](deep)
    with pytest.raises(TypeError):
        p["main.depth"](DICT)
    point = p.types["main.node"](name="a")
    point.next = point
    repr(point)
    with pytest.raises(TypeError, match="nested more than"):
        p["main.depth"](point)
