package main

// Guests against what engines keep of code: its size, its shape, its changes.

import "unsafe"

func aliasedCode(file uintptr, code *[3]byte, run uintptr)
func callFor(a, times uintptr)

// aliases writes code to a file that is mapped, and executes it there: each time it must be the new one.
//
//go:noinline
func aliases() {
	f := sys(319, ptr(&[]byte("x\x00")[0]), 0, 0, 0, 0, 0)
	sys(77, f, 4096, 0, 0, 0, 0)
	run := sys(9, 0, 4096, 5, 1, f, 0)
	aliasedCode(f, &[3]byte{0xb0, 0, 0xc3}, run)
}

// writer writes machine code.
type writer struct{ at uintptr }

func (w *writer) put(code ...byte) {
	for _, b := range code {
		*(*byte)(unsafe.Pointer(w.at)) = b
		w.at++
	}
}

func (w *writer) put32(n uintptr) { w.put(byte(n), byte(n>>8), byte(n>>16), byte(n>>24)) }

// jumpTable goes through a table of 100,000 targets, each of which jumps on by it.
//
//go:noinline
func jumpTable() {
	const n = 100000
	code, table := mm(0x3000000000, n*16), mm(0x3100000000, n*8+8)
	for i := uintptr(0); i < n; i++ {
		w := writer{code + i*16}
		*(*uintptr)(unsafe.Pointer(table + i*8)) = w.at
		w.put(0x48, 0x83, 0xc3, 8) // add rbx, 8
		w.put(0xff, 0x23)          // jmp [rbx]
	}
	w := writer{code + n*16 - 16}
	w.put(0xc3)
	begin := mm(0x3200000000, 4096)
	w = writer{begin}
	w.put(0x53, 0x48, 0xbb) // push rbx; mov rbx, table
	w.put32(table & 0xffffffff)
	w.put32(table >> 32)
	w.put(0xff, 0x13, 0x5b, 0xc3) // call [rbx]; pop rbx; ret
	for {
		callAt(begin)
	}
}

// newCode writes a loop to a new place, runs it until it is hot, and writes the next.
//
//go:noinline
func newCode() {
	const size = 1 << 27
	code := mm(0x3000000000, size)
	for w := (writer{code}); w.at < code+size-64; {
		begin := w.at
		w.put(0xb9, 0x2c, 1, 0, 0)          // mov ecx, 300
		w.put(0x90, 0x90, 0x48, 0xff, 0xc8) // nop; nop; dec rax
		w.put(0xff, 0xc9, 0x75, 0xf7)       // dec ecx; jne -9
		w.put(0xc3)
		callAt(begin)
	}
}

// hugeFunction executes a function of 8 MiB whose every fourth instruction jumps over the next, until all of it is hot.
//
//go:noinline
func hugeFunction() {
	const size = 8 << 20
	code := mm(0x3000000000, size+4096)
	w := writer{code}
	for w.at < code+size {
		w.put(0x48, 0xff, 0xc0, 0xa8, 1) // inc rax; test al, 1
		w.put(0x74, 3, 0x48, 0xff, 0xc0) // je +3; inc rax
	}
	w.put(0xc3)
	for {
		callAt(code)
	}
}

// ownPage changes a byte of its own page, in a loop that is hot.
//
//go:noinline
func ownPage() {
	code := mm(0x3000000000, 4096)
	w := writer{code}
	w.put(0x48, 0x8d, 0x05, 0x80, 0, 0, 0) // lea rax, [rip+128]
	w.put(0xfe, 0x00, 0xeb, 0xfc)          // inc byte [rax]; jmp -4
	callAt(code)
}

// turningCode changes an instruction of a hot loop, each time after 200 rounds.
//
//go:noinline
func turningCode() {
	code := mm(0x3000000000, 4096)
	w := writer{code}
	w.put(0xb9, 0xc8, 0, 0, 0)          // mov ecx, 200
	w.put(0x05, 0, 0, 0, 0)             // add eax, 0
	w.put(0xff, 0xc9, 0x75, 0xf7, 0xc3) // dec ecx; jne -9; ret
	for {
		*(*byte)(unsafe.Pointer(code + 6))++
		callAt(code)
	}
}

// manyPages has a hot function in each of 60,000 pages, and changes one after the other.
//
//go:noinline
func manyPages() {
	const n = 60000
	code := mm(0x3000000000, n*4096)
	for i := uintptr(0); i < n; i++ {
		w := writer{code + i*4096}
		w.put(0x48, 0xff, 0xc0, 0xc3) // inc rax; ret
	}
	for {
		for i := uintptr(0); i < n; i++ {
			callFor(code+i*4096, 300)
			*(*byte)(unsafe.Pointer(code + i*4096 + 2)) ^= 1
		}
	}
}

// shortBlocks jumps through a million blocks of one instruction.
//
//go:noinline
func shortBlocks() {
	const n = 1 << 20
	code := mm(0x3000000000, n*2+4096)
	w := writer{code}
	for i := 0; i < n; i++ {
		w.put(0xeb, 0)
	}
	w.put(0xc3)
	for {
		callAt(code)
	}
}

// smallFunctions calls functions that call functions, each of them small: 24 deep, twice each.
//
//go:noinline
func smallFunctions() {
	code := mm(0x3000000000, 4096)
	for i := uintptr(0); i < 24; i++ {
		w := writer{code + i*32}
		for c := 0; c < 2; c++ {
			w.put(0xe8)
			w.put32(code + (i+1)*32 - (w.at + 4))
		}
		w.put(0xc3)
	}
	w := writer{code + 24*32}
	w.put(0xc3)
	for {
		callAt(code)
	}
}

func init() {
	codes = []interface{}{
		aliases, jumpTable, newCode, hugeFunction, ownPage, turningCode, manyPages, shortBlocks, smallFunctions,
		slowMix, slowerMix, slowX87, slowBytes,
	}
}

func slowMix()
func slowerMix()
func slowX87()
func slowBytes()

var codes interface{}
