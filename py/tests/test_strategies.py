import pytest

pytest.importorskip("hypothesis")
from hypothesis import find, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import goemu  # noqa: E402
import goemu.strategies as go  # noqa: E402


@pytest.fixture(scope="module")
def p(bin_dir):
    return goemu.open(bin_dir / "typed-go1.27", fuel=20_000_000)


def test_every_function_takes_what_its_strategy_gives(p):
    for name in ["sumMap", "byPoint", "byArray", "byWide", "nested", "depth", "takeNode", "mixed", "lookUp", "byFloat", "totalArea"]:
        f = p["main." + name]

        @settings(max_examples=25, deadline=None)
        @given(go.from_function(f))
        def holds(args):
            report = f.report(*args)
            assert report.outcome in ("returned", "panicked"), report

        holds()


def test_a_property_of_a_compiled_function(p):
    @given(st.integers(-1000, 1000))
    @settings(deadline=None)
    def double_is_even(n):
        assert p.main.double(n) == 2 * n

    double_is_even()


def test_failures_shrink(p):
    smallest = find(go.from_type(p.types["[]int"]), lambda xs: xs is not None and sum(xs) > 10, settings=settings(database=None))
    assert smallest == [11]
    smallest = find(go.from_type("main.point", program=p), lambda q: q.x > 5, settings=settings(database=None))
    assert (smallest.x, smallest.y) == (6, 0)


def test_check_finds_a_panic_and_shrinks_it(bin_dir):
    p = goemu.open(bin_dir / "corpus-go1.27")
    with pytest.raises(goemu.CheckFailed, match=r"main.divide\(0, 0\): panic: runtime error: integer divide by zero") as caught:
        p.check("main.divide", examples=300)
    assert caught.value.arguments == (0, 0) and isinstance(caught.value.cause, goemu.GoPanic)
    assert p.check("main.divide", allow=goemu.GoPanic) > 50
    assert p.check(p.main.add, lambda result, a, b: (result - a - b) % (1 << 64) == 0) > 50
    with pytest.raises(goemu.CheckFailed, match="does not hold"):
        p.check(p.main.add, lambda result, a, b: result >= a)


def test_strategies_say_what_they_need(bin_dir):
    p = goemu.open(bin_dir / "corpus-go1.27-stripped")
    with pytest.raises(ValueError, match="sig="):
        go.from_function(p["main.fib"])
    with pytest.raises(ValueError, match="program="):
        go.from_type("int")
