"""One function of a Go program in Unicorn, for comparison: in_unicorn.py PROGRAM ENTRY N prints nanoseconds.

Not part of goemu: it needs `pip install unicorn`. Prints nothing where that is missing.
"""

import struct
import sys
import time

try:
    from unicorn import UC_ARCH_X86, UC_MODE_64, Uc
    from unicorn import x86_const as x86
except ImportError:
    sys.exit(1)

PAGE = 4096
STACK, STACK_SIZE = 0x7000_0000_0000, 1 << 20
G, HOME = 0x6000_0000_0000, 0x5000_0000_0000


def load(uc, path):
    data = open(path, "rb").read()
    (phoff,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for n in range(count):
        kind, _, offset, addr, _, filesz, memsz, _ = struct.unpack_from("<IIQQQQQQ", data, phoff + n * size)
        if kind == 1:
            start, end = addr // PAGE * PAGE, (addr + memsz + PAGE - 1) // PAGE * PAGE
            uc.mem_map(start, end - start)
            uc.mem_write(addr, data[offset : offset + filesz])


def main():
    path, entry, n = sys.argv[1], int(sys.argv[2], 16), int(sys.argv[3])
    uc = Uc(UC_ARCH_X86, UC_MODE_64)
    load(uc, path)
    uc.mem_map(STACK, STACK_SIZE)
    uc.mem_map(G, PAGE)
    uc.mem_map(HOME, PAGE)
    best, start = None, time.perf_counter_ns()
    while time.perf_counter_ns() - start < 1_500_000_000:
        sp = STACK + STACK_SIZE - 512
        uc.mem_write(sp, struct.pack("<Q", HOME))
        uc.reg_write(x86.UC_X86_REG_RSP, sp)
        uc.reg_write(x86.UC_X86_REG_R14, G)
        uc.reg_write(x86.UC_X86_REG_RAX, n)
        begin = time.perf_counter_ns()
        uc.emu_start(entry, HOME)
        spent = time.perf_counter_ns() - begin
        best = spent if best is None else min(best, spent)
    print(best)


main()
