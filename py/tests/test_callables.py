"""Python functions as arguments."""

import gc
import threading
import weakref

import pytest

import goemu


def test_the_guest_calls_python(corpus):
    assert corpus.main.chain([lambda x: x + 1, lambda x: x * 3], 4) == 15
    seen = []
    assert corpus.main.chain([lambda x: seen.append(x) or x], -5) == -5 and seen == [-5]
    mixed = corpus.main.chain.report([int.__abs__, corpus.main.fib], -10)
    assert mixed.value == 55
    assert corpus.main.chain([None][:0], 4) == 4


def test_it_does_in_a_program_that_was_started(corpus_path):
    with goemu.open(corpus_path, runtime="real") as p:
        seen = []
        assert p.main.chain([lambda x: seen.append(x) or 2 * x] * 3, 1) == 8
        assert seen == [1, 2, 4], "each call is seen once"


def test_what_python_raises_comes_out(corpus):
    def fails(x):
        raise KeyError(x)

    for _ in range(3):
        with pytest.raises(KeyError, match="7"):
            corpus.main.chain([fails], 7)
    for wrong, kind, text in (
        (lambda x: "x", TypeError, "result 1 .*an int is wanted"),
        (lambda x: 1 << 70, OverflowError, "result 1"),
        (lambda: 1, TypeError, "positional argument"),
        (lambda x: goemu.original, TypeError, "p.replace"),
        (lambda x: corpus.main.fib(x), RuntimeError, r"p.clone\(\)"),
    ):
        with pytest.raises(kind, match=text):
            corpus.main.chain([wrong], 7)
    assert corpus.main.chain([lambda x: x], 7) == 7
    with pytest.raises(TypeError, match="is wanted"):
        corpus.main.chain([5], 7)


def test_places_are_used_again_and_nothing_leaks(corpus):
    class Callable:
        def __call__(self, x):
            return x + 1

    gone = []
    for n in range(600):
        callable = Callable()
        if n < 10:
            gone.append(weakref.ref(callable))
        assert corpus.main.chain([callable, callable], n) == n + 2
    assert all(one() is None for one in gone)
    last = weakref.ref(callable)
    corpus.close()
    del callable
    gc.collect()
    assert last() is None


def test_a_program_that_its_argument_refers_to_is_freed(corpus_path):
    p = goemu.open(corpus_path)
    p.main.chain([lambda x: p.fuel and x], 1)
    gone = weakref.ref(p)
    del p
    gc.collect()
    assert gone() is None


def test_kept_states_keep_their_functions(corpus):
    corpus.main.chain([lambda x: x + 1], 1)
    corpus.keep()
    assert corpus.main.chain([lambda x: x + 2], 1) == 3
    assert corpus.clone().main.chain([lambda x: x + 3], 1) == 4
    assert corpus.fork().main.chain([lambda x: x + 4], 1) == 5


def test_sessions_and_pools_call_python(corpus):
    with corpus.main.chain.start([lambda x: x * 5], 3) as session:
        assert session.finish().value == 15
    assert goemu.Pool(corpus, 2).starmap(corpus.main.chain, [([lambda x: x + 1], n) for n in range(4)]) == [1, 2, 3, 4]


def test_threads_have_their_own_functions(corpus):
    wrong = []

    def run(k):
        for n in range(50):
            if corpus.main.chain([lambda x: x + k], n) != n + k:
                wrong.append((k, n))

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    with corpus.main.chain.start([lambda x: x], 1):
        with pytest.raises(RuntimeError, match="session"):
            corpus.main.chain([lambda x: x], 1)


def test_hooks_take_functions_but_give_none(typed):
    @typed.replace("main.applyTo")
    def apply(f, xs):
        return [len(xs), f.code != 0]

    with pytest.raises(TypeError, match="result 1"):
        typed.main.applyTo(lambda x: x, [1, 2])
    apply.remove()
    assert typed.main.applyTo(lambda x: x * x, [1, 2, 3]) == [1, 4, 9]


def test_named_func_types_take_python_functions(bin_dir):
    p = goemu.open(bin_dir / "concurrency-go1.27")
    match = p["testing.matchStringOnly.MatchString"]
    assert p.types["testing.matchStringOnly"].kind == "func"
    assert match(lambda pattern, text: (pattern in text, None), "b", "abc") == (True, None)
    refused, error = match(lambda pattern, text: (False, goemu.GoError(f"no {pattern}")), "b", "abc")
    assert not refused and str(error) == "no b" and error == goemu.GoError("no b", error.value)
    with pytest.raises(TypeError, match="result 1"):
        match(lambda pattern, text: ("yes", None), "b", "abc")
    with pytest.raises(TypeError, match="matchStringOnly is wanted"):
        match(5, "b", "abc")
    # A type of which nothing but the name is known.
    with pytest.raises((TypeError, goemu.GoemuError), match="no.such"):
        p.function("testing.matchStringOnly.MatchString", sig="func(f no.such, a, b string) (bool, error)")(lambda: 1, "a", "b")
