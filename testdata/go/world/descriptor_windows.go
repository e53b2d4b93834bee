package main

// What Windows makes of security descriptors, which services ask for while they are initialised.

import (
	"syscall"
	"unsafe"
)

var (
	advapi  = syscall.NewLazyDLL("advapi32.dll")
	convert = advapi.NewProc("ConvertStringSecurityDescriptorToSecurityDescriptorW")
	measure = advapi.NewProc("GetSecurityDescriptorLength")
)

// A package variable, so that it is made before main.main.
var administrators, _ = descriptor("D:P(A;;GA;;;BA)")

// descriptor converts a text; it returns a copy of what Windows has made, and the size that it tells elsewhere.
//
//go:noinline
func descriptor(text string) (bytes []byte, told int) {
	var at *[1 << 10]byte
	var size uint32
	wide, err := syscall.UTF16PtrFromString(text)
	if err != nil {
		return nil, 0
	}
	done, _, _ := convert.Call(uintptr(unsafe.Pointer(wide)), 1, uintptr(unsafe.Pointer(&at)), uintptr(unsafe.Pointer(&size)))
	if done == 0 {
		return nil, 0
	}
	length, _, _ := measure.Call(uintptr(unsafe.Pointer(at)))
	return append(bytes, at[:size]...), int(length)
}
