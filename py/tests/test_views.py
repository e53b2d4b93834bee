import gc
import os
import sys
import threading
import time
import weakref
import zlib

import pytest

import goemu

PAGE = 4096


@pytest.fixture
def p(bin_dir):
    with goemu.open(bin_dir / "corpus-go1.27") as program:
        yield program


def _writable(mem, at):
    try:
        return bool(mem.view(at, PAGE))
    except goemu.MemoryFault:
        return False


@pytest.fixture
def place(p):
    """Two pages of the program's variables, the last ones."""
    start = p.main.fib.address & -PAGE
    pages = [at for at in range(start, start + (4 << 20), PAGE) if _writable(p.mem, at)]
    return pages[-2]


def test_a_view_is_the_memory_itself(p):
    data = b"what the guest will read"
    with p.main.crc32.start(0, data) as s:
        view = s.mem.view(s.reg.rbx, len(data))
        assert (view.address, len(view), view.writable) == (s.reg.rbx, len(data), True)
        with view as given:
            assert isinstance(given, memoryview) and bytes(given) == data
            assert (given.format, given.itemsize, given.shape, given.strides) == ("B", 1, (len(data),), (1,))
            given[:4] = b"that"
            assert s.mem[view.address:view.address + 4] == b"that"
            s.mem[view.address] = ord("T")
            assert given[0] == ord("T") and s.mem.word(view.address, 1) == ord("T")
        with pytest.raises(ValueError, match="released"):
            given[0]
        assert s.finish().value == zlib.crc32(b"That the guest will read")


def test_numpy_reads_and_writes_in_place(p):
    numpy = pytest.importorskip("numpy")
    with p.main.crc32.start(0, bytes(64)) as s:
        at = s.reg.rbx
        words = numpy.frombuffer(s.mem.view(at, 64), dtype="<u8")
        words[1:3] = 7, 1 << 40
        s.mem[at:at + 8] = (5).to_bytes(8, "little")
        assert words.flags.writeable and words[:3].tolist() == [5, 7, 1 << 40]
        changed = words.tobytes()
        part = words[2:4]
        del words
        with pytest.raises(BufferError, match="existing exports of data"):
            s.finish()
        del part
        assert s.finish().value == zlib.crc32(changed)
    code = p.main.fib.address
    array = numpy.frombuffer(p.mem.view(code, 16, writable=False), dtype="u1")
    assert not array.flags.writeable and array.tobytes() == p.mem[code:code + 16]
    with pytest.raises(ValueError):
        array[0] = 1


def test_nothing_moves_while_a_buffer_is_in_use(p, place):
    held = memoryview(p.mem.view(place, 8))
    q = p.clone()
    for act in (
        lambda: p.main.fib(3), lambda: p.main.fib.start(3), lambda: p.keep(), lambda: p.fork(), lambda: p.close(),
        lambda: p.initialise(), lambda: p.main.fib.coverage(3), lambda: p.main.fib.trace(3),
        lambda: p.strings(decode=True), lambda: p.xrefs("main.fib", call=True),
        lambda: goemu.Pool(p, 2).map(p.main.fib, range(4)), lambda: p.main.fib.report(3),
        lambda: p.watch("main.itoa", print), lambda: p.__exit__(None, None, None),
    ):
        with pytest.raises(BufferError, match="existing exports of data: 1 of the program's memory"):
            act()
    assert q.main.fib(10) == 55 and p.types["int"] and p.disassemble("main.fib")
    held[0] = 9
    assert p.mem[place] == 9
    held.release()
    assert p.main.fib(10) == 55


def test_a_session_goes_nowhere_while_a_buffer_is_in_use(p):
    with p.main.fib.start(10) as s:
        s.step(3)
        held = memoryview(s.mem.view(s.reg.rsp, 8))
        for act in (
            s.step, s.resume, s.step_back, s.resume_back, s.finish, s.close, lambda: s.go_to(0), lambda: s.run_to("main.fib"),
            lambda: s.resume_for(5), p.close,
        ):
            with pytest.raises(BufferError, match="existing exports of data"):
                act()
        assert s.position == 3 and not s.is_over and s.func == "main.fib" and s.instruction
        s.reg.rax = s.reg.rax
        held.release()
        assert s.step() == "stepped" and s.finish().value == 55
        with pytest.raises(RuntimeError):
            s.mem.view(8, 8)


def test_what_was_written_is_undone_or_kept(p, place):
    p.main.fib(25)  # in translated code: the host protects pages
    size, before = 2 * PAGE, p.mem[place:place + 2 * PAGE]

    def write():
        with p.mem.view(place, size) as view:
            view[:] = b"\xa5" * size

    for _ in range(3):
        write()
        assert p.mem[place:place + size] == b"\xa5" * size
        p.main.fib(3)
        assert p.mem[place:place + size] == before
    write()
    p.keep()
    p.main.fib(25)
    assert p.mem[place:place + size] == b"\xa5" * size


def test_an_array_may_outlive_the_block(p, place):
    with p.mem.view(place, 8) as view:
        part = view[2:4]
    part[0] = 5
    assert p.mem[place + 2] == 5
    with pytest.raises(BufferError):
        p.main.fib(3)
    part.release()
    assert p.main.fib(3) == 2
    with pytest.raises(ZeroDivisionError):
        with p.mem.view(place, 8):
            1 / 0
    assert p.main.fib(3) == 2


def test_a_buffer_outlives_everything_else(bin_dir, place):
    p = goemu.open(bin_dir / "corpus-go1.27")
    s = p.main.crc32.start(0, b"abcd")
    held = memoryview(s.mem.view(s.reg.rbx, 4))
    gone = weakref.ref(p)
    del p, s
    gc.collect()
    held[0] = ord("x")
    assert bytes(held) == b"xbcd" and gone() is not None
    del held
    gc.collect()
    assert gone() is None


def test_ranges_that_cannot_be_viewed(p, place):
    code = p.main.fib.address
    for at, size, text in (
        (8, 8, "no memory at 0x8"),
        (1 << 63, 8, "no memory at 0x8000000000000000"),
        ((1 << 64) - 4, 8, "no memory at"),
        (1 << 40, 8, "no memory at 0x10000000000"),
        (place, 1 << 29, "no memory at"),
        (code, 8, f"the guest does not write at {code:#x}.*writable=False"),
    ):
        with pytest.raises(goemu.MemoryFault, match=text):
            p.mem.view(at, size)
    with pytest.raises(goemu.MemoryFault, match="no memory at"):
        p.mem.view(code, 1 << 29, writable=False)
    with pytest.raises(ValueError, match="too many"):
        p.mem.view(place, 1 << 60)
    with pytest.raises(OverflowError):
        p.mem.view(place, -1)
    constant = p.mem.view(code, 8, writable=False)
    with open(__file__, "rb") as file, pytest.raises(TypeError, match="read-write"):
        file.readinto(constant)
    with p.mem.view(place, 0) as nothing:
        assert bytes(nothing) == b""
    assert p.main.fib(3) == 2


def test_a_view_is_looked_at_anew_each_time(p, place):
    view = p.mem.view(place, 8)
    with view as given:
        given[0] = 1
    p.main.fib(3)
    assert bytes(view) == bytes(8)
    with p.main.fib.start(3) as s:
        below = s.mem.view(s.reg.rsp, 8)
        with pytest.raises(BufferError, match="session of this program is open"):
            memoryview(view)
    with pytest.raises(BufferError, match="the session is closed"):
        memoryview(below)
    p.close()
    with pytest.raises(BufferError, match="closed"):
        memoryview(view)


def test_a_hook_views_memory(p):
    kept = []

    @p.replace("main.crc32")
    def crc32(crc, data, *, context):
        with context.mem.view(context.reg.rbx, len(data)) as view:
            view[0] ^= 1
        return goemu.original

    assert p.main.crc32(0, b"abc") == zlib.crc32(b"`bc")
    crc32.remove()

    @p.replace("main.crc32")
    def keeps(crc, data, *, context):
        view = context.mem.view(context.reg.rbx, len(data))
        kept.append((memoryview(view), view))
        return 5

    with pytest.raises(BufferError, match="existing exports"):
        p.main.crc32(0, b"abc")
    assert bytes(kept[0][0]) == b"abc"
    kept[0][0][0] = 1
    with pytest.raises(BufferError, match="existing exports"):
        p.main.fib(3)
    kept[0][0].release()
    with pytest.raises(BufferError, match="has returned"):
        memoryview(kept[0][1])
    assert p.main.fib(10) == 55
    with pytest.raises(BufferError):
        goemu.Pool(p, 2).starmap(p.main.crc32, [(0, b"abc")] * 4)
    for view, _ in kept:
        view.release()
    keeps.remove()
    assert p.main.crc32(0, b"abc") == zlib.crc32(b"abc")


def test_threads_that_view_and_call(p, place):
    failed, calls, views = [], [], []
    end = threading.Event()

    def view(n):
        while not end.is_set():
            try:
                with p.mem.view(place + n * 64, 64) as view:
                    view[:] = bytes(64)
                views.append(n)
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=view, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    while not failed and (len(calls) < 40 or len(views) < 40):
        try:
            calls.append(p.main.fib(12))
        except BufferError:
            calls.append(144)
    end.set()
    for thread in threads:
        thread.join()
    assert not failed and set(calls) == {144}


def test_threads_take_turns(p):
    calls, end = [0, 0], threading.Event()

    def call(n):
        while not end.is_set():
            p.main.fib(12)
            calls[n] += 1

    threads = [threading.Thread(target=call, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    for _ in range(50):
        p.main.fib(12)
    took = time.monotonic() - begun
    end.set()
    for thread in threads:
        thread.join()
    assert took < 10 and min(calls) > 5, (took, calls)


def memory():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc/self/statm is Linux's")
def test_a_million_views_take_no_memory(p, place):
    def views(count):
        mem = p.mem
        for n in range(count):
            with mem.view(place + n % PAGE, 16) as view:
                view[0] = n & 255

    views(10000)
    before = memory()
    views(990000)
    assert memory() - before < 4 << 20


def test_views_freed_in_odd_order(bin_dir, place):
    for order in range(24):
        p = goemu.open(bin_dir / "corpus-go1.27")
        things = [p, p.mem.view(place, 8)]
        things += [memoryview(things[1]), p.mem]
        things.append(things[2][1:3])
        del p
        for step in range(len(things), 0, -1):
            things.pop(order % step)
            gc.collect()
