//go:build go1.21
// +build go1.21

package main

import (
	"fmt"
	"runtime"
	"unsafe"
)

func init() {
	mentioned = append(mentioned, pin)
}

// pin pins a value of a kind twice, and says what that panics with.
//
//go:noinline
func pin(kind int) (said string) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	defer func() {
		if text := recover(); text != nil {
			said = fmt.Sprint(text)
		}
	}()
	object := &[4]int{1, 2, 3, 4}
	foreign := uintptr(0x10000)
	values := []interface{}{
		object, &object[2], unsafe.Pointer(object), &static, new(struct{}),
		*(*unsafe.Pointer)(unsafe.Pointer(&foreign)), (*int)(nil), nil, 5, "text", []int{1}, map[int]int{}, make(chan int), func() {},
	}
	pinner.Pin(values[kind])
	pinner.Pin(values[kind])
	return fmt.Sprint("pinned ", len(values))
}

var static int
