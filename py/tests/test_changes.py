"""What is changed of a program, and what it is given."""

import pickle

import pytest

import goemu

SEVEN = bytes.fromhex("b807000000c3")


def test_functions_are_stubbed(corpus_path):
    p = goemu.open(corpus_path, changes=['stub main.itoa="n"', "reg R12=5"])
    for one in (p, p.clone(), pickle.loads(pickle.dumps(p))):
        assert one.main.concatMany("a", "b", 7) == "a-b-nab"


@pytest.mark.parametrize("runtime", [None, "real"])
def test_variables_are_set(bin_dir, runtime):
    plain = goemu.open(bin_dir / "world-go1.27", runtime=runtime).main.initialised(3)
    p = goemu.open(bin_dir / "world-go1.27", runtime=runtime, changes=["set main.total=1000"])
    assert p.main.initialised(3) != plain and 1000 in p.main.initialised(3)


def test_code_is_patched(corpus_path, tmp_path):
    code = tmp_path / "seven.bin"
    code.write_bytes(SEVEN)
    for change in ("patch main.fib=b807000000c3", f"patch main.fib=@{code}"):
        p = goemu.open(corpus_path, changes=[change])
        assert p.main.fib(20) == 7 and p.main.add(1, 2) == 3
        assert pickle.loads(pickle.dumps(p)).main.fib(20) == 7
    assert goemu.open(corpus_path).main.fib(20) == 6765


def test_memory_is_mapped(corpus_path, tmp_path):
    data = tmp_path / "data"
    data.write_bytes(b"hello, guest" + bytes(4084) + b"end")
    p = goemu.open(corpus_path, changes=[f"map {data}@0x7000000", f"map {data}@0x8000000:r"])
    with p.main.fib.start(3) as s:
        assert s.mem[0x7000000:0x700000C] == b"hello, guest" and s.mem[0x8000000 + 4096:0x8000000 + 4099] == b"end"


def test_a_call_stops(corpus_path):
    p = goemu.open(corpus_path, changes=["stop main.fib+0x1a"])
    report = p.main.fib.report(4)
    assert report.outcome == "stopped"
    with pytest.raises(goemu.OutcomeError, match="stopped"):
        p.main.fib(4)
    assert p.main.add(1, 2) == 3


def test_packages_are_left_out(bin_dir):
    p = goemu.open(bin_dir / "world-go1.27", changes=["skip-init"])
    assert p.main.initialised.report(3).outcome == "panicked"
    assert goemu.open(bin_dir / "world-go1.27").main.initialised.report(3).outcome == "returned"


def test_what_cannot_be_changed_is_said(corpus_path):
    with pytest.raises(ValueError, match="stub, set, patch"):
        goemu.open(corpus_path, changes=["stubb main.itoa=5"])
    for change, text in (
        ("reg XX=5", "reg"), ("map /nowhere@0x1000", "cannot read /nowhere"), ("set main.word", "VARIABLE=VALUE"),
        ("patch main.fib=9", "two digits"), ("set main.nosuch=1", "no function main.nosuch"), ("stub nosuch=1", "no function nosuch"),
        ("stop main.fib+1", "no instruction begins there"), ("patch 0x10=90", "nothing of the program is at 0x10"),
    ):
        with pytest.raises(goemu.GoemuError, match=text):
            goemu.open(corpus_path, changes=[change]).main.fib(3)


def read(program, path):
    return program.function("os.ReadFile", sig="func(name string) ([]byte, error)")(path)


def test_files_are_given(bin_dir, tmp_path):
    (tmp_path / "a").write_text("one")
    program = bin_dir / "whole-go1.27-stripped"
    for dirs in ({"/data": tmp_path}, {"/data": (str(tmp_path), "ro")}, {"/data": (tmp_path, "rw")}):
        p = goemu.open(program, dirs=dirs)
        for one in (p, p.clone(), pickle.loads(pickle.dumps(p))):
            assert read(one, "/data/a") == (b"one", None)
    text, error = read(goemu.open(program), "/data/a")
    assert "no such file" in str(error)
    assert read(goemu.open(program, dirs={"/data": tmp_path}, cwd="/data"), "a") == (b"one", None)


def test_files_that_cannot_be_given_are_named(corpus_path, tmp_path):
    for dirs, kind, text in (
        ({"/data": tmp_path / "no"}, ValueError, "/data: cannot use .*no: No such file"), ({"data": tmp_path}, ValueError, "begins with a slash"),
        ({"/data": (tmp_path, "x")}, ValueError, "ro, overlay, rw"), ({"/data": 5}, TypeError, "/data: a path is wanted"),
        ({5: tmp_path}, TypeError, "str"), ({"/data": (tmp_path,)}, TypeError, "a path is wanted"),
    ):
        with pytest.raises(kind, match=text):
            goemu.open(corpus_path, dirs=dirs)
    with pytest.raises(ValueError, match="working directory"):
        goemu.open(corpus_path, cwd="data")


def test_a_program_sees_processors(bin_dir):
    p = goemu.open(bin_dir / "concurrency-go1.27", runtime="real", processors=3)
    for one in (p, pickle.loads(pickle.dumps(p))):
        assert one.function("runtime.GOMAXPROCS", sig="func(n int) int")(0) == 3
    with pytest.raises(ValueError, match="1 to 64 processors"):
        goemu.open(bin_dir / "corpus-go1.27", processors=0)
