import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import pytest

import goemu


def test_a_pool_gives_results_in_order(corpus):
    with goemu.Pool(corpus, 2) as pool:
        assert pool.map(corpus.main.fib, range(15)) == [corpus.main.fib(n) for n in range(15)]
        assert pool.starmap("main.divide", [(7, 2), (9, 3)]) == [(3, 1), (3, 0)]
        with pytest.raises(goemu.GoPanic):
            pool.starmap(corpus.main.divide, [(7, 2), (1, 0)])
        with pytest.raises(TypeError, match="argument 1"):
            pool.map(corpus.main.fib, [1, "x"])
        with pytest.raises(TypeError, match="a pool calls functions"):
            pool.map(len, [1])
        reports = goemu.Pool(corpus, 2).reports(corpus.main.fib, [3, 4])
        assert [report.value for report in reports] == [2, 3]


def test_results_come_before_all_items_are_taken(corpus):
    taken = []

    def endless():
        n = 0
        while True:
            taken.append(n)
            yield n % 10
            n += 1

    results = goemu.Pool(corpus, 2).imap(corpus.main.fib, endless())
    assert [next(results) for _ in range(12)] == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 0, 1] and len(taken) < 100

    def slow():
        for n in range(4):
            time.sleep(0.08)
            taken.append(n)
            yield n

    taken.clear()
    assert next(goemu.Pool(corpus, 2).imap(corpus.main.fib, slow())) == 0 and len(taken) < 4

    def broken():
        yield 1
        raise KeyError("items")

    with pytest.raises(KeyError, match="items"):
        goemu.Pool(corpus, 2).map(corpus.main.fib, broken())


def test_a_call_of_a_pool_has_its_time(bin_dir):
    p = goemu.open(bin_dir / "bad-go1.27-stripped", fuel=1 << 60)
    spin = p.function("main.spin", sig="func()")
    pool = goemu.Pool(p, 2, timeout=0.2)
    (report,) = list(pool._run(spin, [()], True))
    assert report.outcome == "out_of_time"


def test_calls_run_beside_python(bin_dir):
    p = goemu.open(bin_dir / "bad-go1.27-stripped", fuel=1 << 60, timeout=1.0)
    spin = p.function("main.spin", sig="func()")
    done = threading.Event()

    def work():
        spin.report()
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    turns = 0
    while not done.is_set():
        turns += 1
        time.sleep(0.001)
    thread.join()
    assert turns > 3


def test_programs_and_functions_pickle(corpus_path):
    p = goemu.open(corpus_path, seed=5, fuel=12345678, env={"A": "b"}, args=["x"])
    q = pickle.loads(pickle.dumps(p))
    assert (q.seed, q.fuel, q.path) == (5, 12345678, p.path)
    assert pickle.loads(pickle.dumps(p.main.fib))(10) == 55
    f = p.function("main.fib", sig="func(n int) int", raises=True)
    assert pickle.loads(pickle.dumps(f)).signature == "func(n int) int"
    assert pickle.loads(pickle.dumps(goemu.lit("5"))).text == "5"


def test_records_pickle(typed):
    point = typed.types["main.point"](1, 2)
    assert pickle.loads(pickle.dumps(point)) == point
    assert pickle.loads(pickle.dumps(typed.types["uint8"](7))).value == 7


def test_a_program_that_changed_is_not_unpickled(tmp_path, corpus_path):
    path = tmp_path / "prog"
    path.write_bytes(open(corpus_path, "rb").read())
    pickled = pickle.dumps(goemu.open(path))
    with open(path, "ab") as file:
        file.write(b"x")
    with pytest.raises(goemu.LoadError, match="not the file that was pickled"):
        pickle.loads(pickled)


def _fib(job):
    f, n = job
    return f(n)


def test_processes_share_the_work(corpus_path):
    p = goemu.open(corpus_path)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_fib, [(p.main.fib, n) for n in range(6)]) == [0, 1, 1, 2, 3, 5]


INTERRUPTED = """
import goemu, os, signal, threading, time, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored in the background
p = goemu.open(sys.argv[1], fuel=1 << 60)
spin = p.function("main.spin", sig="func()")
def press():
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGINT)
for call in (spin, spin.report, lambda: goemu.Pool(p, 2).map(spin, []) or list(goemu.Pool(p, 2)._run(spin, [()], True)),
             lambda: spin.start().resume()):
    threading.Thread(target=press).start()
    began = time.time()
    try:
        call()
    except KeyboardInterrupt:
        print("interrupted", time.time() - began < 5)
p = p.clone()
p.fuel = 1_000_000
print(p.function("main.spin", sig="func()").report().outcome)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_control_c_ends_a_call_and_the_machine_is_usable(bin_dir):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(bin_dir / "bad-go1.27-stripped")],
        capture_output=True, text=True, timeout=60)
    assert done.stdout.split("\n")[:4] == ["interrupted True"] * 4, done.stdout + done.stderr
    assert "out_of_fuel" in done.stdout


def test_forked_processes_call(corpus_path):
    if not hasattr(os, "fork"):
        pytest.skip("no fork")
    code = '''
import goemu, os, sys
p = goemu.open(sys.argv[1], engine=sys.argv[2])
assert p.main.fib(10) == 55
pid = os.fork()
if pid == 0:
    try:
        print(p.main.fib(11), flush=True)
    except RuntimeError as error:
        print(error, flush=True)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
print(p.main.fib(12))
'''
    kept = code.replace("pid = os", "p.keep(); pid = os")
    for code, engine, expected in (
            (code, "interpreter", "89"), (code, "auto", "89"), (kept, "interpreter", "89"), (kept, "auto", "the process was forked")):
        done = subprocess.run([sys.executable, "-c", code, corpus_path, engine], capture_output=True, text=True, timeout=60)
        assert done.stdout.startswith(expected) and done.stdout.endswith("144\n"), done.stdout + done.stderr


def test_threads_that_run_when_python_ends_do_not_abort_it(bin_dir):
    code = '''
import goemu, sys, threading, time
p = goemu.open(sys.argv[1], fuel=1 << 60)
spin = p.function("main.spin", sig="func()")
threading.Thread(target=spin.report, daemon=True).start()
time.sleep(0.3)
print("end")
'''
    done = subprocess.run(
        [sys.executable, "-c", code, str(bin_dir / "bad-go1.27-stripped")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout == "end\n", (done.returncode, done.stderr)


def test_ray_shares_the_work(corpus_path):
    ray = pytest.importorskip("ray", reason="ray is not installed (pip install ray)")
    ray.init(num_cpus=2, include_dashboard=False, ignore_reinit_error=True)
    try:
        f = ray.put(goemu.open(corpus_path).main.fib)
        call = ray.remote(lambda f, n: f(n))
        assert ray.get([call.remote(f, n) for n in range(5)]) == [0, 1, 1, 2, 3]
    finally:
        ray.shutdown()
