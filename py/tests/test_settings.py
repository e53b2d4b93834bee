"""What `goemu.open` limits, and what goes wrong on purpose."""

import pickle

import pytest

import goemu



def write(program, size, path="/tmp/a"):
    return program.function("os.WriteFile", sig="func(name string, data []byte, perm uint32) error")(path, bytes(size), 0o600)


def both(program):
    """The program, and what a pickle makes of it."""
    return program, pickle.loads(pickle.dumps(program))


def test_output_is_limited(bin_dir):
    for limited in both(goemu.open(bin_dir / "whole-go1.27-stripped", max_output=40)):
        report = limited["main.main"].report()
        assert report.outcome == "output_limit" and len(report.stdout) + len(report.stderr) == 40
        with pytest.raises(goemu.OutcomeError, match="too much output"):
            limited["main.main"]()


def test_files_are_limited(bin_dir):
    program = bin_dir / "whole-go1.27-stripped"
    assert write(goemu.open(program), 5000) is None
    for limited in both(goemu.open(program, max_files=4096)):
        assert write(limited, 100) is None
        assert "no space left on device" in str(write(limited, 5000))


def test_stacks_are_limited(corpus_path):
    frames = goemu.open(corpus_path).main.stackOverflow.report(1)
    for limited in both(goemu.open(corpus_path, max_stack=1 << 16)):
        report = limited.main.stackOverflow.report(1)
        assert "stack" in report.text and report.instructions < frames.instructions
        with pytest.raises(goemu.GoFatal, match="stack"):
            limited.main.stackOverflow(1)


def test_memory_is_limited(corpus_path):
    assert goemu.open(corpus_path).main.sieve(3_000_000) > 0
    for limited in both(goemu.open(corpus_path, max_memory=16 << 20)):
        with pytest.raises(goemu.GoFatal, match="out of memory"):
            limited.main.sieve(30_000_000)
        assert limited.main.add(1, 2) == 3


def test_fuel_and_time_are_limited(corpus_path):
    for limited in both(goemu.open(corpus_path, fuel=1000, timeout=50.0)):
        assert limited.timeout == 50.0
        with pytest.raises(goemu.OutOfFuel, match="1000"):
            limited.main.fib(25)


def test_engines_and_processors_give_the_same(corpus_path):
    for settings in ({"engine": "interpreter"}, {"engine": "translator"}, {"cpu": "v1"}, {"cpu": "v3"}, {"runtime": "hooked"}, {"runtime": "real"}):
        for program in both(goemu.open(corpus_path, **settings)):
            assert program.main.fib(12) == 144
    for wrong in ({"engine": "steam"}, {"cpu": "v9"}, {"runtime": "other"}, {"faults": "fire"}, {"faults": ""}):
        with pytest.raises(ValueError, match="one of|faults are"):
            goemu.open(corpus_path, **wrong)


def test_faults_follow_from_the_seed(bin_dir):
    program = bin_dir / "whole-go1.27-stripped"

    def run(**settings):
        for opened in both(goemu.open(program, runtime="real", **settings)):
            report = opened["main.main"].report()
            yield report.outcome, report.instructions, report.stderr

    usual, again = run()
    disturbed, pickled = run(faults="short,delays", seed=2)
    assert usual == again and disturbed == pickled
    assert disturbed[0] == usual[0] and disturbed[1] != usual[1]
    assert any(b"no space left on device" in stderr for seed in range(1, 12) for _, _, stderr in run(faults="full", seed=seed))
