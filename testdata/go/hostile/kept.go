package main

// Guests that change again and again what calls start from, which is kept for the calls that come: variables of 512 MiB, and the
// program's own code.

import "unsafe"

// wholeBig is the part of the variables that has pages of its own.
func wholeBig() (at, size uintptr) {
	return (uintptr(unsafe.Pointer(&big)) + 4095) &^ 4095, uintptr(len(big) - 8192)
}

// dirtyKept writes to all pages of variables, and gives them back.
//
//go:noinline
func dirtyKept() {
	at, size := wholeBig()
	for {
		for i := uintptr(0); i < size; i += 4096 {
			*(*byte)(unsafe.Pointer(at + i)) = 1
		}
		sys(28, at, size, 4, 0, 0, 0)
	}
}

// replaceKept unmaps variables and maps others in their place, of which it writes every other page.
//
//go:noinline
func replaceKept() {
	at, size := wholeBig()
	for {
		sys(11, at, size, 0, 0, 0, 0)
		sys(9, at, size, 3, 0x32, ^uintptr(0), 0)
		for i := uintptr(0); i < size; i += 8192 {
			*(*byte)(unsafe.Pointer(at + i)) = 1
		}
	}
}

// protectKept takes the permission to write from each page of variables by itself, gives it back, and writes.
//
//go:noinline
func protectKept() {
	at, size := wholeBig()
	for {
		for i := uintptr(0); i < size; i += 4096 {
			sys(10, at+i, 4096, 1, 0, 0, 0)
			sys(10, at+i, 4096, 3, 0, 0, 0)
			*(*byte)(unsafe.Pointer(at + i)) = 1
		}
	}
}

// ownText makes the program's own code writable, and writes what is there already.
//
//go:noinline
func ownText() {
	f := ownText
	at := **(**uintptr)(unsafe.Pointer(&f)) &^ 4095
	for {
		sys(10, at-1<<18, 1<<19, 7, 0, 0, 0)
		for i := at - 1<<18; i < at; i += 4096 {
			*(*byte)(unsafe.Pointer(i)) |= 0
		}
		sys(10, at-1<<18, 1<<19, 5, 0, 0, 0)
	}
}

func init() {
	keptGuests = []interface{}{dirtyKept, replaceKept, protectKept, ownText}
}

var keptGuests interface{}
