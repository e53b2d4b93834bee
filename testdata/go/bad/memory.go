package main

// Pointers to where nothing is, code where none is, and more memory than there is.

import (
	"strings"
	"unsafe"
)

//go:noinline
func smash() int {
	var room [4]uintptr
	at := uintptr(unsafe.Pointer(&room))
	for i := uintptr(0); i < 64; i++ {
		*(*uintptr)(unsafe.Pointer(at + i*8)) = 0x4141414141414141
	}
	return int(room[0])
}

//go:noinline
func wild() {
	to := uintptr(0x1234)
	code := &to
	(*(*func())(unsafe.Pointer(&code)))()
}

// wildReturn is a jump to an address that no processor takes.
//
//go:noinline
func wildReturn() {
	to := ^uintptr(0)>>1 - 7
	code := &to
	(*(*func())(unsafe.Pointer(&code)))()
}

//go:noinline
func text() {
	f := smash
	code := **(**uintptr)(unsafe.Pointer(&f))
	*(*byte)(unsafe.Pointer(code)) = 0xcc
}

//go:noinline
func farString() string {
	words := [2]uintptr{8, 1 << 50}
	return *(*string)(unsafe.Pointer(&words))
}

//go:noinline
func farSlice() int {
	words := [3]uintptr{0x10, 1 << 40, 1 << 40}
	return (*(*[]int)(unsafe.Pointer(&words)))[1<<39]
}

//go:noinline
func farInterface() interface{} {
	words := [2]uintptr{0x1234, 0x5678}
	return *(*interface{})(unsafe.Pointer(&words))
}

//go:noinline
func farFunc() func() {
	at := uintptr(0x77777)
	return *(*func())(unsafe.Pointer(&at))
}

//go:noinline
func farMap() map[string]int {
	at := uintptr(0x400000)
	return *(*map[string]int)(unsafe.Pointer(&at))
}

//go:noinline
func nilCall() {
	var f func()
	f()
}

//go:noinline
func tera() int { return len(strings.Repeat("ab", 1<<40)) }

//go:noinline
func giga() int {
	b := make([]byte, 3000000000)
	sink = b
	return len(b)
}

//go:noinline
func gigas() {
	var keep [][]byte
	for {
		keep = append(keep, make([]byte, 30<<20))
		sink = keep
	}
}

//go:noinline
func doubled() {
	s := "x"
	for {
		s += s
	}
}

//go:noinline
func entries() {
	m := map[int]int{}
	for i := 0; ; i++ {
		m[i] = i
	}
}

//go:noinline
func channels() {
	var keep []chan [1000]int
	for {
		keep = append(keep, make(chan [1000]int, 1000))
		sink = keep
	}
}
