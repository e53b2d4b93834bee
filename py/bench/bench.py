"""Calls a second from Python, in one run: goemu, and Unicorn and icicle where they are installed (pip install unicorn icicle-emu).

    python bench/bench.py [testdata/bin]
"""

import pathlib
import subprocess
import sys
import time

import goemu

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1] / "testdata" / "bin"
SECONDS = 1.0


def rate(call):
    """Calls a second: the best of five."""
    best = 0.0
    for _ in range(5):
        count, end = 0, time.perf_counter() + SECONDS / 5
        began = time.perf_counter()
        while True:
            for _ in range(1000):
                call()
            count += 1000
            now = time.perf_counter()
            if now >= end:
                break
        best = max(best, count / (now - began))
    return best


def least(act, times=20):
    """The shortest time in milliseconds."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        act()
        best = min(best, time.perf_counter() - began)
    return best * 1000


def unicorn(p):
    """`add` as users of Unicorn call it: arguments into registers, run to the return address, result out."""
    import unicorn
    from unicorn import x86_const as x

    uc = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    entry = p.main.add.address
    page = entry & ~0xFFF
    uc.mem_map(page, 0x2000)
    uc.mem_write(page, p.mem.read(page, 0x2000))
    uc.mem_map(0x7F0000, 0x10000)
    home = 0x7F8000
    uc.mem_write(home, b"\xf4")

    def call():
        uc.reg_write(x.UC_X86_REG_RSP, 0x7F7000)
        uc.mem_write(0x7F7000, home.to_bytes(8, "little"))
        uc.reg_write(x.UC_X86_REG_RAX, 40)
        uc.reg_write(x.UC_X86_REG_RBX, 2)
        uc.emu_start(entry, home)
        return uc.reg_read(x.UC_X86_REG_RAX)

    assert call() == 42
    return rate(call)


def icicle(p):
    """The same in icicle."""
    from icicle import Icicle, MemoryProtection

    vm = Icicle("x86_64", jit=True)
    entry = p.main.add.address
    page = entry & ~0xFFF
    vm.mem_map(page, 0x2000, MemoryProtection.ExecuteReadWrite)
    vm.mem_write(page, p.mem.read(page, 0x2000))
    vm.mem_map(0x7F0000, 0x10000, MemoryProtection.ExecuteReadWrite)
    home = 0x7F8000
    vm.mem_write(home, b"\xf4")
    word = home.to_bytes(8, "little")
    vm.add_breakpoint(home)

    def call():
        vm.reg_write("rsp", 0x7F7000)
        vm.mem_write(0x7F7000, word)
        vm.reg_write("rax", 40)
        vm.reg_write("rbx", 2)
        vm.pc = entry
        vm.run()
        return vm.reg_read("rax")

    assert call() == 42 and vm.pc == home
    return rate(call)


def main():
    path = BIN / "corpus-go1.27"
    p = goemu.open(path)
    add, text, fib = p.main.add, p.main.fromBytes, p.main.fib
    chain, double = p.main.chain, [lambda n: 2 * n]
    blob = b"hello"
    assert add(40, 2) == 42 and text(blob)[0] == "hello"
    rows = [
        ("add(40, 2)", f"{rate(lambda: add(40, 2)):,.0f} calls/s"),
        ("fromBytes(b'hello')", f"{rate(lambda: text(blob)):,.0f} calls/s"),
        ("fib(10)", f"{rate(lambda: fib(10)):,.0f} calls/s"),
        ("chain([lambda], 4)", f"{rate(lambda: chain(double, 4)):,.0f} calls/s, one back into Python each"),
        ("goemu.open", f"{least(lambda: goemu.open(path)):.2f} ms ({path.stat().st_size >> 10} KiB)"),
    ]
    code = "import time; t = time.perf_counter(); import goemu; print(time.perf_counter() - t)"
    imports = [float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout) for _ in range(5)]
    rows.append(("import goemu", f"{min(imports) * 1000:.1f} ms"))
    for name, package, other in (("Unicorn", "unicorn", unicorn), ("icicle", "icicle-emu", icicle)):
        try:
            rows.append((f"{name}: add(40, 2)", f"{other(p):,.0f} calls/s"))
        except ImportError:
            rows.append((f"{name}: add(40, 2)", f"not installed (pip install {package})"))
    for name, result in rows:
        print(f"{name:<22} {result}")


if __name__ == "__main__":
    main()
