import gc
import threading
import time

import pytest

import goemu


def test_a_function_is_found_by_attribute_index_end_and_address(corpus):
    assert corpus.main.fib(20) == 6765
    assert corpus["main.fib"](10) == 55
    assert corpus["fib"](10) == 55
    assert corpus[corpus.main.fib.address](10) == 55
    assert "fib" in dir(corpus.main) and "main" in dir(corpus)
    assert "main.fib" in corpus and "main.nope" not in corpus


def test_what_is_not_there_is_said(corpus):
    with pytest.raises(AttributeError, match="no package nope"):
        corpus.nope
    with pytest.raises(AttributeError, match="no function main.fibb; did you mean"):
        corpus.main.fibb
    with pytest.raises(goemu.NoSuchFunction, match="did you mean"):
        corpus["main.fibb"]


def test_results_are_one_value_a_tuple_or_nothing(corpus):
    assert corpus.main.divide(17, 5) == (3, 2)
    assert corpus.main.concat("a", "b") == "ab"


def test_integers_are_checked_against_their_types(corpus):
    f = corpus.main.fib
    with pytest.raises(OverflowError, match=r"argument 1 \(n int\): 9223372036854775808 overflows int"):
        f(1 << 63)
    for wrong in ("x", 1.5, None, [1], b"1", True):
        with pytest.raises(TypeError, match=r"argument 1 \(n int\): an int is wanted, and this is a Python"):
            f(wrong)
    with pytest.raises(TypeError, match=r"2 arguments given to func\(n int\) int"):
        f(1, 2)
    with pytest.raises(TypeError):
        f()


def test_what_has_an_index_is_an_integer(corpus):
    class Seven:
        def __index__(self):
            return 7

    assert corpus.main.fib(Seven()) == 13


def test_strings_are_text_and_bytes_where_they_are_not_utf8(corpus):
    concat = corpus.main.concat
    assert concat("é", "x") == "éx"
    assert concat(b"\xff", "x") == b"\xffx"
    assert concat(b"", b"") == ""
    assert concat("\udcff", "") == b"\xff"
    assert concat("a" * 100_000, "b") == "a" * 100_000 + "b"


def test_go_literals_are_taken_as_text(typed):
    assert typed.main.sumMap(goemu.lit('map[string]int{"a": 1, "bb": 20}')) == (24, False)
    with pytest.raises(TypeError, match=r"argument 1 \(m map\[string\]int\)"):
        typed.main.sumMap(goemu.lit("map[string]int{1: 2}"))


def test_maps_are_dicts(typed):
    assert typed.main.sumMap({"a": 1, "bb": 20, "": 300}) == (324, False)
    assert typed.main.sumMap(None) == (0, False)
    assert typed.main.lookUp({1: "one", -2: "two"}, -2) == ("two", True)
    assert typed.main.invert({"a": 1, "b": 2}) == {1: "a", 2: "b"}
    with pytest.raises(TypeError, match="a key: a string is wanted"):
        typed.main.sumMap({1: 2})


def test_structs_are_records(typed):
    Point = typed.types["main.point"]
    p = Point(x=1, y=2)
    assert (p.x, p.y) == (1, 2) and p == Point(1, 2) and p != Point(1, 3) and hash(p) == hash(Point(1, 2))
    assert repr(p) == "main.point(x=1, y=2)" and p.asdict() == {"x": 1, "y": 2} == dict(p)
    p.x = 7
    assert p["x"] == 7 == p[0] and Point().y == 0
    assert typed.main.byPoint({Point(1, 2): "x", Point(3, 4): "y"}, Point(3, 4)) == "y"
    assert typed.main.byPoint({(1, 2): "x"}, {"x": 1, "y": 2}) == "x"
    with pytest.raises(TypeError, match="main.point has no field z; its fields are x, y"):
        Point(z=1)
    with pytest.raises(AttributeError, match="has no field z"):
        p.z
    with pytest.raises(OverflowError, match=r"the value.x"):
        Point(x=1 << 70)


def test_nested_values_say_where_they_are_wrong(typed):
    with pytest.raises(TypeError, match=r"argument 1 \(n main.node\).next.name: a string is wanted, and this is a Python int"):
        typed.main.takeNode({"name": "a", "next": {"name": 5}})


def test_pointers_are_made_of_values_and_followed(typed):
    assert typed.main.depth(None) == (0, "")
    assert typed.main.depth({"name": "a", "next": {"name": "b"}}) == (2, "ab")
    ring = typed.main.ring(3)
    assert ring.name == "first" and ring.next.name == "second"
    assert "first" in repr(ring)



def test_a_pointer_of_an_earlier_call_is_a_copy_and_a_kept_one_is_itself(typed):
    node = typed.main.ring(3)
    typed.keep()
    assert typed.mem.value(node.address, "main.node").name == "first"


def test_interfaces_have_dynamic_types(typed):
    t = typed.types
    describe = typed.main.describe
    assert describe(None) == "nil"
    assert describe(5) == "int 5"
    assert describe("text") == "string text"
    assert describe(t["uint8"](7)) == "uint8 7"
    assert describe(2.5) == "float64"
    assert describe(t["main.circle"](2)) == "shape 12"
    assert describe(t["[]int"]([1, 2])) == "ints 2"
    assert describe(goemu.lit("&rect{2, 3}")) == "shape 6"
    with pytest.raises(TypeError, match="which Go type is this Python list to have"):
        describe([1, 2])
    any_, shape, errors = typed.main.parts(3)
    assert any_.r == 3 and str(any_._type) == "main.circle"
    assert shape.w == 3.0 and [str(e) if e else None for e in errors][1:] == [None, "lost"]


def test_errors_are_values_and_raised_on_request(typed):
    check = typed.main.check
    assert check(0) is None
    error = check(1)
    assert isinstance(error, goemu.GoError) and str(error) == "lost"
    assert typed.main.codeOf(check(5)) == (5, "code")
    raising = typed.function("main.check", raises=True)
    assert raising(0) is None
    with pytest.raises(goemu.GoError, match="code 5"):
        raising(5)


def test_functions_are_passed_and_called(typed):
    assert typed.main.applyTo(typed.main.double, [1, 2, 3]) == [2, 4, 6]
    assert typed.main.applyTo(None, []) == []
    assert typed.main.applyTo(lambda n: n + 1, [1]) == [2]


def test_a_closure_can_be_called_once_its_state_is_kept(corpus):
    add5 = corpus.main.makeAdder(5)
    assert callable(add5) and "makeAdder" in add5.name
    with pytest.raises(TypeError, match=r"p.keep\(\)"):
        add5(1)
    add5 = corpus.main.makeAdder(5)
    corpus.keep()
    assert add5(37) == 42


def test_many_kinds_at_once(typed):
    assert typed.main.mixed(b"ab", -1, ["x", ""], [(1, 2), (3, 4)], 1.5, ord("x"), 1 - 2j, True) == (
        "abxx", 4, 0.75, (1 - 2j) ** 2)
    with pytest.raises(OverflowError, match=r"argument 2 \(n int8\): 200 overflows int8"):
        typed.main.mixed(b"", 200, [], [], 1.5, 1, 0, True)


def test_a_panic_has_value_text_traceback_and_frames(corpus):
    with pytest.raises(goemu.GoPanic) as caught:
        corpus.main.divide(1, 0)
    panic = caught.value
    assert panic.text == "runtime error: integer divide by zero"
    assert panic.go_traceback.startswith("goroutine 1 [running]:")
    assert panic.frames[0][0] == "main.divide" and panic.frames[0][1].endswith("panics.go")
    names = [entry.name for entry in caught.traceback]
    assert "main.divide" in names
    assert panic.report.outcome == "panicked" and panic.report.instructions > 0


def test_a_report_tells_all_and_raises_nothing(corpus):
    report = corpus.main.divide.report(1, 0)
    assert not report and report.outcome == "panicked" and report.panic_text.endswith("divide by zero")
    with pytest.raises(goemu.GoPanic):
        report.raise_for_outcome()
    report = corpus.main.divide.report(17, 5, arguments=True)
    assert report and report.results == (3, 2) and report.value == (3, 2)
    assert list(report.arguments.values()) == [17, 5]
    assert report.runtime == "hooked" and "3" in report._repr_html_()


def test_errors_are_made_of_texts(typed):
    assert typed.main.codeOf(goemu.GoError("unknown")) == typed.main.codeOf(goemu.lit('errors.New("unknown")'))
    assert typed.main.codeOf(None) == (0, "")

    @typed.replace("main.check")
    def check(n):
        return goemu.GoError(b"not " + bytes([n]))

    error = typed.main.check(65)
    assert error.text == "not A" and error.value.type.name == "*errors.errorString"
    check.remove()


def test_fuel_ends_a_call(corpus):
    corpus.fuel = 1000
    with pytest.raises(goemu.OutOfFuel, match="raise it with fuel="):
        corpus.main.fib(25)
    corpus.fuel = 10_000_000
    assert corpus.main.fib(10) == 55


def test_a_deadline_ends_a_call(bin_dir):
    p = goemu.open(bin_dir / "bad-go1.27-stripped", fuel=1 << 60, timeout=0.2)
    with pytest.raises(goemu.OutOfTime, match="raise it with timeout="):
        p.function("main.spin", sig="func()")()
    assert p.timeout == 0.2 and p.clone().timeout == 0.2
    p.limit(timeout=None, fuel=1000)
    with pytest.raises(goemu.OutOfFuel):
        p.function("main.spin", sig="func()")()
    with pytest.raises(ValueError, match="cannot take -1"):
        p.timeout = -1.0


def test_a_deadlock_and_an_exit_are_told(corpus):
    with pytest.raises((goemu.Deadlock, goemu.GoFatal), match="deadlock"):
        corpus.main.deadlock()


def test_a_wrong_file_is_a_load_error(tmp_path):
    with pytest.raises(goemu.LoadError, match="nope"):
        goemu.open(tmp_path / "nope")
    text = tmp_path / "text"
    text.write_text("hello")
    with pytest.raises(goemu.LoadError, match="text: "):
        goemu.open(text)
    with pytest.raises(goemu.LoadError):
        goemu.open(b"\x7fELF" + bytes(100))
    with pytest.raises(TypeError):
        goemu.open(5)
    with pytest.raises(ValueError, match="no runtime moon"):
        goemu.open(text, runtime="moon")


def test_bytes_can_be_opened(bin_dir):
    program = goemu.open((bin_dir / "corpus-go1.15").read_bytes())
    assert program.main.fib(10) == 55 and program.path is None


def test_a_stripped_program_needs_signatures(bin_dir):
    p = goemu.open(bin_dir / "corpus-go1.27-stripped")
    assert p.main.fib(10)["ax"] == 55
    fib = p.function("main.fib", sig="func(n int) int")
    assert fib(10) == 55 and fib.signature == "func(n int) int"
    with pytest.raises(goemu.CallError):
        p.function("main.fib", sig="func(")


def test_use_after_close_is_an_error(corpus_path):
    p = goemu.open(corpus_path)
    f = p.main.fib
    p.close()
    for use in (lambda: f(3), lambda: p.keep(), lambda: f.start(3), lambda: p.mem[0:1]):
        with pytest.raises(ValueError, match="closed"):
            use()
    p.close()


def test_objects_are_freed_in_any_order(corpus_path):
    p = goemu.open(corpus_path)
    f, t = p.main.fib, p.types["int"]
    del p
    gc.collect()
    assert f(10) == 55 and t(5).value == 5
    del f
    gc.collect()


def test_threads_share_a_program(shared):
    results = []

    def work(n):
        for _ in range(50):
            results.append(shared.main.fib(n) == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34][n])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 400 and all(results)


def test_a_million_calls_take_no_memory(shared):
    resource = pytest.importorskip("resource")
    add, concat = shared.main.add, shared.main.concat
    for _ in range(20_000):
        add(1, 2)
        concat("a", b"b")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    end = time.monotonic() + 10
    for n in range(500_000):
        if n % 1000 == 0 and time.monotonic() > end:
            break
        add(1, 2)
        concat("a", b"b")
        if n % 100 == 0:
            with pytest.raises(OverflowError):
                add(1 << 64, 1)
            with pytest.raises(goemu.GoPanic):
                shared.main.divide(1, 0)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 8_000
