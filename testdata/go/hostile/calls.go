package main

// Guests that cost a host more than the instructions they execute: by system calls, threads, signals and mappings. Each runs
// for ever, or until it has used up what it aims at; docs/hostile.md has what they take. None is run natively.

import "unsafe"

func sys(n, a, b, c, d, e, f uintptr) uintptr
func loopsys(n, a, b, c, d, e, f uintptr)
func looppair(n, a, b, c, d, e, f uintptr)
func futexthread(stack, addr uintptr) uintptr
func epollthread(stack, ep, buf uintptr) uintptr
func sigthread(stack uintptr) uintptr
func handlerAddr() (h, r uintptr)

var word uint32
var buf [1 << 20]byte
var stacks [4096 * 4096]byte

const BASE = 0x2000000000

//go:noinline
func hugeMmap() { loopsys(9, 0x3000000000, 1<<38, 3, 0x32, ^uintptr(0), 0) }

//go:noinline
func hugeMprotect() {
	sys(9, 0x3000000000, 1<<38, 0, 0x32, ^uintptr(0), 0)
	loopsys(10, 0x3000000000, 1<<38, 3, 0, 0, 0)
}

//go:noinline
func badWrite() { loopsys(1, 1, 0x10, 1<<20, 0, 0, 0) }

//go:noinline
func badFdWrite() { loopsys(1, 77, uintptr(unsafe.Pointer(&buf)), 1<<20, 0, 0, 0) }

//go:noinline
func writevZero() { loopsys(20, 1, uintptr(unsafe.Pointer(&buf)), 1024, 0, 0, 0) }

//go:noinline
func manyRanges(n int) int {
	got := 0
	for i := 0; i < n; i++ {
		r := sys(9, BASE+uintptr(i)*8192, 4096, 0, 0x32, ^uintptr(0), 0)
		if r > 1<<47 {
			break
		}
		got++
	}
	return got
}

//go:noinline
func findLoop() {
	// fill the lowest part of ANYWHERE with reservations one page apart: no hole of 2 pages
	for i := 0; i < 65000; i++ {
		sys(9, 0x1000000000+uintptr(i)*8192, 4096, 0, 0x32, ^uintptr(0), 0)
	}
	// size larger than any hole: linear search
	loopsys(9, 0, 1<<39, 0, 0x22, ^uintptr(0), 0)
}

//go:noinline
func frontLoop() {
	for i := 0; i < 65000; i++ {
		sys(9, 0x1000000000+uintptr(i)*8192, 4096, 0, 0x32, ^uintptr(0), 0)
	}
	looppair(9, 0x800000000, 4096, 0, 0x32, 0, 0)
}

//go:noinline
func frontLoopMem() {
	for i := 0; i < 65000; i++ {
		sys(9, 0x1000000000+uintptr(i)*8192, 4096, 0, 0x32, ^uintptr(0), 0)
	}
	looppair(9, 0x800000000, 4096, 3, 0x32, 0, 0)
}

//go:noinline
func mapStorm() { looppair(9, 0x800000000, 4096, 3, 0x32, 0, 0) }

//go:noinline
func mapStormBig() { looppair(9, 0x800000000, 1<<30, 3, 0x32, 0, 0) }

//go:noinline
func threads(n int) int {
	k := 0
	for i := 0; i < n; i++ {
		r := futexthread(uintptr(unsafe.Pointer(&stacks[(i%4096)*4096]))+4096-64, uintptr(unsafe.Pointer(&word)))
		if r > 1<<40 {
			break
		}
		k++
	}
	return k
}

//go:noinline
func threadsGetpid() { threads(4096); sys(24, 0, 0, 0, 0, 0, 0); loopsys(39, 0, 0, 0, 0, 0, 0) }

//go:noinline
func threadsWake() {
	threads(4096)
	sys(24, 0, 0, 0, 0, 0, 0)
	loopsys(202, uintptr(unsafe.Pointer(&buf)), 1, 1, 0, 0, 0)
}

//go:noinline
func threadsWakeAll() {
	threads(4096)
	sys(24, 0, 0, 0, 0, 0, 0)
	loopsys(202, uintptr(unsafe.Pointer(&word)), 1, 1<<30, 0, 0, 0)
}

//go:noinline
func threadsTgkill() {
	threads(4096)
	sys(24, 0, 0, 0, 0, 0, 0)
	loopsys(234, 1, 99999, 0, 0, 0, 0)
}

var ev [3]uint32
var fds [2]uint32

func setupPipes(ep uintptr) (w uintptr) {
	for i := 0; i < 505; i++ {
		if int(sys(22, uintptr(unsafe.Pointer(&fds)), 0, 0, 0, 0, 0)) < 0 {
			break
		}
		ev[0] = 1 | 1<<31
		ev[1] = fds[0]
		if w == 0 {
			w = uintptr(fds[1])
			continue
		}
		sys(233, ep, 1, uintptr(fds[0]), uintptr(unsafe.Pointer(&ev)), 0, 0)
		ev[0] = 1
		sys(233, ep, 1, uintptr(fds[1]), uintptr(unsafe.Pointer(&ev)), 0, 0)
	}
	return
}

//go:noinline
func epollWait() {
	ep := sys(291, 0, 0, 0, 0, 0, 0)
	setupPipes(ep)
	loopsys(232, ep, uintptr(unsafe.Pointer(&buf)), 1000, 0, 0, 0)
}

//go:noinline
func epollOnce(n int, writes int) int {
	ep := sys(291, 0, 0, 0, 0, 0, 0)
	w := setupPipes(ep)
	k := 0
	for i := 0; i < n; i++ {
		r := epollthread(uintptr(unsafe.Pointer(&stacks[(i%4096)*4096]))+4096-64, ep, uintptr(unsafe.Pointer(&buf)))
		if r > 1<<40 {
			break
		}
		k++
	}
	sys(24, 0, 0, 0, 0, 0, 0)
	for i := 0; i < writes; i++ {
		sys(1, w, uintptr(unsafe.Pointer(&buf)), 1, 0, 0, 0)
	}
	return k
}

//go:noinline
func pipeLoop() {
	for i := 0; i < 505; i++ {
		if int(sys(22, uintptr(unsafe.Pointer(&fds)), 0, 0, 0, 0, 0)) < 0 {
			break
		}
	}
	for {
		sys(22, uintptr(unsafe.Pointer(&fds)), 0, 0, 0, 0, 0)
		sys(3, uintptr(fds[0]), 0, 0, 0, 0, 0)
		sys(3, uintptr(fds[1]), 0, 0, 0, 0, 0)
	}
}

var act [4]uintptr

const sigstacks, sigroom = 0x5800000000, 600 << 20

//go:noinline
func nestedSignals(n int) int {
	h, r := handlerAddr()
	act[0], act[1], act[2], act[3] = h, 0x40000000|0x04000000, r, 0
	sys(13, 10, uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
	k := 0
	const per = 448 << 10
	mm(sigstacks, sigroom)
	for i := 0; i < n; i++ {
		if uintptr(i+1)*per > sigroom {
			break
		}
		x := sigthread(sigstacks + uintptr(i+1)*per - 64)
		if x > 1<<40 {
			break
		}
		k++
	}
	for i := 0; i < 40*n; i++ {
		sys(24, 0, 0, 0, 0, 0, 0)
	}
	return k
}

//go:noinline
func sleepMax() int {
	ts := [2]int64{1<<63 - 1, 999999999}
	sys(35, uintptr(unsafe.Pointer(&ts)), 0, 0, 0, 0, 0)
	for i := 0; i < 1000; i++ {
		sys(24, 0, 0, 0, 0, 0, 0)
	}
	sys(228, 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0, 0)
	sys(230, 1, 1, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	return int(ts[0])
}

// vmaLimit: many VMAs, then mprotect whose last split fails after the first VMA changed.
//
//go:noinline
func vmaLimit(n int) int {
	const A = 0x4000000000
	// 64k single pages of alternating permission inside one usable range
	sys(9, A, uintptr(2*n+64)*4096, 3, 0x32, ^uintptr(0), 0)
	bad := 0
	for i := 0; i < n; i++ {
		r := sys(10, A+uintptr(2*i)*4096, 4096, 1, 0, 0, 0)
		if int(r) < 0 && int(r) > -4096 {
			bad++
		}
	}
	return bad
}

//go:noinline
func vmaCrash(n, m int) int {
	const A = 0x4000000000
	const B = 0x5000000000
	sys(9, B, 64*4096, 3, 0x32, ^uintptr(0), 0)
	// B: [0..16) RW, [16..17) R, [17..64) RW
	sys(10, B+16*4096, 4096, 1, 0, 0, 0)
	*(*byte)(unsafe.Pointer(uintptr(B))) = 1
	*(*byte)(unsafe.Pointer(uintptr(B + 17*4096))) = 1
	sys(9, A, uintptr(2*n+64)*4096, 3, 0x32, ^uintptr(0), 0)
	for i := 0; i < n; i++ {
		sys(10, A+uintptr(2*i)*4096, 4096, 1, 0, 0, 0)
		if i > m {
			// try: from a VMA start, over R vma, into the middle of the last RW VMA
			r := sys(10, B, 20*4096, 1, 0, 0, 0)
			if int(r) < 0 {
				*(*byte)(unsafe.Pointer(uintptr(B))) = 2
				return i
			}
			r = sys(10, B, 16*4096, 3, 0, 0, 0)
			r = sys(10, B+17*4096, 3*4096, 3, 0, 0, 0)
		}
	}
	return -1
}

var big [512 << 20]byte

//go:noinline
func touchBig() int {
	for i := 0; i < len(big); i += 4096 {
		big[i] = 1
	}
	return len(big)
}

//go:noinline
func unmapBig() int {
	sys(11, (uintptr(unsafe.Pointer(&big))+4095)&^4095, uintptr(len(big)-8192), 0, 0, 0, 0)
	r := sys(9, 0x3000000000, uintptr(len(big)-8192), 3, 0x32, ^uintptr(0), 0)
	if r == 0x3000000000 {
		for i := uintptr(0); i < uintptr(len(big)-8192); i += 4096 {
			*(*byte)(unsafe.Pointer(r + i)) = 1
		}
	}
	return int(r)
}
