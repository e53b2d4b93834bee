"""One function of a Go program in icicle, for comparison: in_icicle.py PROGRAM ENTRY N prints nanoseconds.

Not part of goemu: it needs `pip install icicle-emu`. Prints nothing where that is missing.
"""

import struct
import sys
import time

try:
    from icicle import Icicle, MemoryProtection
except ImportError:
    sys.exit(1)

PAGE = 4096
STACK, STACK_SIZE = 0x7000_0000_0000, 1 << 20
G, HOME = 0x6000_0000_0000, 0x5000_0000_0000
# Bits of a program header's flags.
EXEC, WRITE = 1, 2


def load(vm, path):
    data = open(path, "rb").read()
    (phoff,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for n in range(count):
        kind, flags, offset, addr, _, filesz, memsz, _ = struct.unpack_from("<IIQQQQQQ", data, phoff + n * size)
        if kind == 1:
            start, end = addr // PAGE * PAGE, (addr + memsz + PAGE - 1) // PAGE * PAGE
            vm.mem_map(start, end - start, MemoryProtection.ReadWrite)
            vm.mem_write(addr, data[offset : offset + filesz])
            if flags & EXEC:
                vm.mem_protect(start, end - start, MemoryProtection.ExecuteRead)
            elif not flags & WRITE:
                vm.mem_protect(start, end - start, MemoryProtection.ReadOnly)


def main():
    path, entry, n = sys.argv[1], int(sys.argv[2], 16), int(sys.argv[3])
    vm = Icicle("x86_64", jit=True)
    load(vm, path)
    vm.mem_map(STACK, STACK_SIZE, MemoryProtection.ReadWrite)
    vm.mem_map(G, PAGE, MemoryProtection.ReadWrite)
    vm.mem_map(HOME, PAGE, MemoryProtection.ExecuteRead)
    vm.add_breakpoint(HOME)
    best, start = None, time.perf_counter_ns()
    while best is None or time.perf_counter_ns() - start < 1_500_000_000:
        sp = STACK + STACK_SIZE - 512
        vm.mem_write(sp, struct.pack("<Q", HOME))
        vm.reg_write("rsp", sp)
        vm.reg_write("r14", G)
        vm.reg_write("rax", n)
        vm.pc = entry
        begin = time.perf_counter_ns()
        vm.run()
        spent = time.perf_counter_ns() - begin
        if vm.pc != HOME:
            sys.exit(f"stopped at {vm.pc:#x}")
        best = spent if best is None else min(best, spent)
    print(best)


main()
