import gc
import threading
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


def test_a_hook_sees_and_changes_registers_and_memory(corpus):
    kept = []

    @corpus.replace("main.add")
    def add(a, b, *, context):
        kept.append(context)
        assert context.func == "main.add"
        assert context.mem.word(context.reg.rsp) == context.return_address
        assert context.return_address in context.mem
        if context.reg.rax == a and context.reg.rbx == b:
            context.reg.rax = 100
        else:
            at = context.reg.rsp + 8
            assert context.mem.value(at, "int") == a
            context.mem[at : at + 8] = (100).to_bytes(8, "little")
        return goemu.original

    assert corpus.main.add(1, 2) == 102 and corpus.main.add(3, 4) == 104
    for late in (lambda: kept[0].reg.rax, lambda: kept[0].mem[0:1], lambda: kept[0].return_address, lambda: repr(kept[0].reg)):
        with pytest.raises(RuntimeError, match="has returned"):
            late()
    assert kept[0].func == "main.add" and "main.add" in repr(kept[0])


def test_a_context_is_asked_for_by_annotation_or_name(corpus):
    seen = []

    def by_annotation(call, here: goemu.HookContext):
        seen.append(("annotation", here.func))

    def by_text(call, here: "goemu.HookContext"):
        seen.append(("text", here.func))

    def no_context(call, context=None):
        seen.append(("none", context))

    for see in (by_annotation, by_text, no_context):
        corpus.watch("main.itoa", see).functions
    corpus.main.itoa(7)
    assert set(seen) == {("annotation", "main.itoa"), ("text", "main.itoa"), ("none", None)} and len(seen) == 6


def test_a_watcher_changes_results_in_place(corpus):
    def doubles(call, *, context):
        if call.results:
            context.reg.rax *= 2

    corpus.watch("main.add", doubles)
    by_register = corpus.path.endswith("1.27")
    assert corpus.main.add(20, 1) == (42 if by_register else 21)


def test_mistakes_with_a_context_are_python_s_own_exceptions(corpus):
    mistakes = {
        AttributeError: lambda context: setattr(context.reg, "rip", 5),
        goemu.MemoryFault: lambda context: context.mem[0:8],
        OverflowError: lambda context: setattr(context.reg, "al", 256),
        RuntimeError: lambda context: corpus.main.fib(3),
        ValueError: lambda context: context.mem.__setitem__(slice(0, 4), b"x"),
    }
    for kind, mistake in mistakes.items():

        def wrong(n, *, context):
            mistake(context)

        hook = corpus.replace("main.itoa", wrong)
        with pytest.raises(kind):
            corpus.main.itoa(7)
        hook.remove()
        assert corpus.main.itoa(7) == "7", "the guest has its memory again"


def test_contexts_of_two_programs_at_once_and_of_another_thread(corpus):
    other = corpus.clone()
    texts = []

    @other.replace("main.itoa")
    def inner(n, *, context):
        texts.append((n, context.func))
        return goemu.original

    @corpus.replace("main.itoa")
    def outer(n, *, context):
        before = context.reg.rsp
        assert other.main.itoa(n + 1) == str(n + 1)
        found = []
        thread = threading.Thread(target=lambda: found.append((context.reg.rsp, context.mem.word(context.reg.rsp))))
        thread.start()
        thread.join()
        assert found == [(before, context.return_address)]
        return goemu.original

    assert corpus.main.itoa(7) == "7" and texts == [(8, "main.itoa")]
