import pytest

import goemu


def test_a_session_steps_stops_and_finishes(corpus):
    with corpus.main.fib.start(10) as s:
        assert s.func == "main.fib" and s.pc == corpus.main.fib.address and not s.is_over
        assert s.step() == "stepped" and s.instructions == 1
        s.break_at("main.fib")
        assert s.breakpoints == [corpus.main.fib.address]
        assert s.resume() == "breakpoint" and s.pc == corpus.main.fib.address
        assert s.line[0].endswith("control.go") and s.instruction != "?"
        assert s.clear("main.fib") and not s.clear("main.fib")
        assert s.finish().value == 55
    assert corpus.main.fib(10) == 55


def test_a_session_goes_back(corpus):
    with corpus.main.fib.start(10) as s:
        s.break_at("main.fib")
        s.step(40)
        rip, rax = s.pc, s.reg.rax
        assert s.position == 40 and s.step(5) == "stepped" and s.go_to(40) == "stepped"
        assert (s.pc, s.reg.rax, s.position) == (rip, rax, 40)
        assert s.step_back() == "stepped" and s.position == 39
        assert s.resume_back() == "breakpoint" and s.func == "main.fib" and s.instructions < 39
        assert s.go_to(0) in ("stepped", "beginning") and s.position == 0 and s.step_back() == "beginning"
        assert s.resume_for(3) in ("paused", "breakpoint") and s.position > 0
        assert s.goroutines[0][0] == 1 and s.goroutines[0][1] == "running"
        assert s.finish().value == 55


def test_registers_are_attributes(bin_dir):
    p = goemu.open(bin_dir / "corpus-go1.27")
    with p.main.fib.start(10) as s:
        assert s.reg.rax == 10 and s.reg.eax == 10 and s.reg.al == 10 and s.reg.rip == s.pc
        s.reg.rax = 7
        assert s.finish().value == 13
    with p.main.fib.start(10) as s:
        s.reg.rbx = 0x1122334455667788
        assert (s.reg.ebx, s.reg.bx, s.reg.bl, s.reg.bh) == (0x55667788, 0x7788, 0x88, 0x77)
        s.reg.bh = 0xAA
        assert s.reg.rbx == 0x112233445566AA88
        s.reg.r9d = 5
        s.reg.ymm1 = 1 << 200 | 3
        assert s.reg.ymm1 == 1 << 200 | 3 and s.reg.xmm1 == 3 and s.reg.r9 == 5
        with pytest.raises(AttributeError, match="no register zax"):
            s.reg.zax
        with pytest.raises(OverflowError):
            s.reg.al = 256
        with pytest.raises(OverflowError):
            s.reg.rax = -1
        assert "rax=" in repr(s.reg)


def test_memory_is_slices(corpus):
    with corpus.main.concat.start("abc", "def") as s:
        sp = s.reg.rsp
        word = s.mem.word(sp)
        assert s.mem[sp:sp + 8] == word.to_bytes(8, "little") and s.mem[sp] == s.mem[sp:sp + 1][0]
        s.mem[sp - 64:sp - 56] = b"12345678"
        s.mem[sp - 64] = 0x39
        assert s.mem[sp - 64:sp - 56] == b"92345678"
        s.mem[sp - 64:sp - 56] = memoryview(bytearray(8))
        assert s.mem.read(sp - 64, 8) == bytes(8) and sp in s.mem and 8 not in s.mem
        for bad in (lambda: s.mem[0:8], lambda: s.mem[1 << 63:(1 << 63) + 8], lambda: s.mem[5]):
            with pytest.raises(goemu.MemoryFault, match="no memory at"):
                bad()
        with pytest.raises(ValueError):
            s.mem[sp:sp + 8] = b"1"
        with pytest.raises(IndexError):
            s.mem[5:1]
        with pytest.raises(goemu.MemoryFault):
            s.mem[0:1 << 20]
        with pytest.raises(ValueError, match="too many"):
            s.mem[0:1 << 50]


def test_a_buffer_can_be_viewed(corpus):
    numpy = pytest.importorskip("numpy")
    entry = corpus.main.fib.address
    view = numpy.frombuffer(corpus.mem[entry:entry + 16], dtype="u1")
    assert bytes(view) == corpus.mem.read(entry, 16)


def test_code_can_be_patched_and_kept(corpus):
    entry = corpus.main.fib.address
    corpus.mem[entry:entry + 1] = b"\xcc"
    corpus.keep()
    assert corpus.main.fib.report(3).outcome == "faulted"
    with pytest.raises(goemu.GoFault):
        corpus.main.fib(3)


def test_an_open_session_has_the_machine(corpus):
    s = corpus.main.fib.start(10)
    with pytest.raises(RuntimeError, match="a session of this program is open"):
        corpus.main.fib(3)
    assert corpus.clone().main.fib(3) == 2
    s.close()
    s.close()
    assert corpus.main.fib(3) == 2
    for use in (s.step, s.resume, s.finish, lambda: s.pc, lambda: s.reg.rax, lambda: s.mem[0:1]):
        with pytest.raises(RuntimeError, match="closed"):
            use()


def test_a_session_that_is_dropped_frees_its_program(corpus):
    s = corpus.main.fib.start(10)
    s.step(5)
    del s
    assert corpus.main.fib(10) == 55


def test_a_session_ends_in_a_panic(corpus):
    s = corpus.main.divide.start(1, 0)
    assert s.resume() == "ended" and s.is_over and s.step() == "ended"
    report = s.finish()
    assert report.outcome == "panicked"


def test_a_fork_starts_from_what_was_kept(corpus):
    add = corpus.main.makeAdder(5)
    corpus.keep()
    assert add(1) == 6
    fork = corpus.fork()
    assert fork.main.fib(10) == 55
