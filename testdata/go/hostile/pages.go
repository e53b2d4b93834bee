package main

// Repeated instructions over pages that were executed.

import "unsafe"

func mm(at, n uintptr) uintptr
func callAt(a uintptr)
func stosb(di, cx, ax uintptr)

//go:noinline
func codeStos(pages int) int {
	const A = 0x3000000000
	r := mm(A, uintptr(pages)*4096)
	if r != A {
		return int(r)
	}
	for i := 0; i < pages; i++ {
		p := r + uintptr(i)*4096
		*(*byte)(unsafe.Pointer(p)) = 0xc3
		callAt(p)
	}
	stosb(r, uintptr(pages)*4096, 0xc3)
	return pages
}

//go:noinline
func plainStos(pages int) int {
	const A = 0x3000000000
	r := mm(A, uintptr(pages)*4096)
	if r != A {
		return int(r)
	}
	stosb(r, uintptr(pages)*4096, 0xc3)
	return pages
}
