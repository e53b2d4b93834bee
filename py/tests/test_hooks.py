import gc
import weakref

import pytest

import goemu


def test_a_function_is_replaced_by_decorator(corpus):
    @corpus.replace("main.itoa")
    def itoa(n):
        return f"<{n}>"

    assert corpus.main.concatMany("a", "b", 7) == "a-b-<7>ab"
    assert itoa(3) == "<3>"
    assert itoa.remove() and not itoa.remove()
    assert corpus.main.concatMany("a", "b", 7) == "a-b-7ab"


def test_a_hook_can_leave_a_call_to_the_function(corpus):
    corpus.replace("main.itoa", lambda n: "seven" if n == 7 else goemu.original)
    assert corpus.main.itoa(7) == "seven" and corpus.main.itoa(8) == "8"


def test_several_results_are_a_tuple(corpus):
    corpus.replace("main.divide", lambda a, b: (a + b, 0))
    assert corpus.main.divide(1, 0) == (1, 0)
    corpus.replace("main.divide", lambda a, b: 5)
    with pytest.raises(TypeError, match="gives 2 results"):
        corpus.main.divide(1, 0)


def test_what_a_hook_raises_ends_the_call_and_comes_out(corpus):
    class Own(Exception):
        pass

    @corpus.replace("main.itoa")
    def fails(n):
        raise Own(n)

    for _ in range(3):
        with pytest.raises(Own, match="7"):
            corpus.main.concatMany("a", "b", 7)
    fails.remove()
    assert corpus.main.concatMany("a", "b", 7) == "a-b-7ab"

    @corpus.replace("main.itoa")
    def wrong(n):
        return 5

    with pytest.raises(TypeError, match="result 1 .*a string is wanted"):
        corpus.main.concatMany("a", "b", 7)


def test_calls_are_watched_by_pattern(corpus):
    seen = []
    watching = corpus.watch("main.ito*", seen.append)
    corpus.main.concatMany("a", "b", 7)
    assert [(call.func, call.args, call.results) for call in seen] == [
        ("main.itoa", (7,), None), ("main.itoa", (7,), ("7",))]
    watching.remove()
    corpus.main.concatMany("a", "b", 7)
    assert len(seen) == 2
    with pytest.raises(ValueError, match="no functions zzz"):
        corpus.watch("zzz*", seen.append)


def test_a_hook_cannot_call_into_its_own_machine_but_into_another(corpus):
    @corpus.replace("main.itoa")
    def calls(n):
        return str(corpus.main.fib(n))

    with pytest.raises(RuntimeError, match=r"p.clone\(\)"):
        corpus.main.itoa(7)
    calls.remove()
    other = corpus.clone()

    @corpus.replace("main.itoa")
    def calls_another(n):
        return str(other.main.fib(n))

    assert corpus.main.itoa(10) == "55"


def test_a_hook_can_do_anything_and_the_interpreter_lives(corpus):
    hooks = []

    @corpus.replace("main.itoa")
    def removes_itself(n):
        for hook in hooks:
            hook.remove()
        gc.collect()
        return "x"

    hooks.append(removes_itself)
    assert corpus.main.itoa(1) == "x" and corpus.main.itoa(1) == "1"

    @corpus.replace("main.itoa")
    def closes(n):
        corpus.close()
        return "x"

    with pytest.raises(RuntimeError):
        corpus.main.itoa(1)

    for wrong in (None, 5, "x"):
        with pytest.raises(TypeError):
            corpus.replace("main.itoa", wrong) if wrong is not None else corpus.replace("main.itoa")(None)


def test_a_program_with_hooks_that_refer_to_it_is_freed(corpus_path):
    p = goemu.open(corpus_path)

    @p.replace("main.itoa")
    def hook(n):
        return repr(p)

    p.main.itoa(1)
    gone = weakref.ref(p)
    del p, hook
    gc.collect()
    assert gone() is None


def test_events_come_in_batches(corpus):
    batches = []
    with corpus.observe(batches.append, batch=4):
        corpus.main.concatMany("a", "b", 7)
    events = [event for batch in batches for event in batch]
    assert all(len(batch) <= 4 for batch in batches)
    assert events[0]["kind"] == "call_begins" and events[-1]["kind"] == "call_ended"
    assert events[0]["func"] == corpus.main.concatMany.address
    corpus.main.concatMany("a", "b", 7)
    assert events == [event for batch in batches for event in batch]


def test_blocks_and_instructions_come_in_batches(corpus):
    counted = {"blocks": 0, "instructions": 0}

    def count(what):
        def see(batch):
            counted[what] += len(batch)

        return see

    with corpus.observe(count("blocks"), "blocks"), corpus.observe(count("instructions"), "instructions"):
        report = corpus.main.fib.report(12)
    assert counted["instructions"] == report.instructions > counted["blocks"] > 0
    with pytest.raises(ValueError, match="nothing called dreams"):
        corpus.observe(print, "dreams")


def test_an_observer_that_fails_ends_the_call(corpus):
    def fails(batch):
        raise KeyError("observer")

    with corpus.observe(fails, "blocks", batch=10):
        with pytest.raises(KeyError, match="observer"):
            corpus.main.fib(20)
    assert corpus.main.fib(10) == 55


def test_coverage_is_sets(corpus):
    one, two = corpus.main.fib.coverage(1), corpus.main.fib.coverage(5)
    assert one.lines < two.lines and one.blocks
    assert (two - one).lines and (one | two).lines == two.lines
    (lines,) = [lines for file, lines in two.by_file().items() if file.endswith("control.go")]
    assert lines == sorted(lines)


def test_traces_are_records(corpus):
    trace = corpus.main.fib.trace(3)
    assert [record.kind for record in trace].count("call") == 5
    assert "main.fib(3)" in str(trace) and trace.report.value == 2 and "<table" in trace._repr_html_()
    steps = [r for r in corpus.main.fib.trace(3, detail="instructions") if r.kind == "step"]
    assert len(steps) == trace.report.instructions
    assert any(name == "AX" for step in steps for name, _ in step.registers) and steps[0].line[1] > 0
    short = corpus.main.fib.trace(10, detail="instructions", most=5)
    assert len(short) == 5 and short.more > 100
