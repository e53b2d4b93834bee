// Package main has cleanups and weak pointers, for Go 1.24 and later.
package main

import (
	"runtime"
	"weak"
)

type object struct {
	name *string
	pad  [100]byte
}

var said string

//go:noinline
func made(name string) (*object, weak.Pointer[object]) {
	o := &object{name: &name}
	runtime.AddCleanup(o, func(s string) { said += s }, "gone "+name)
	stopped := runtime.AddCleanup(o, func(n int) { said += "never" }, 1)
	stopped.Stop()
	return o, weak.Make(o)
}

func main() {
	o, pointer := made("a")
	_, other := made("b")
	runtime.GC()
	runtime.Gosched()
	println(said, pointer.Value() == o, other.Value() == nil)
	said = ""
	println(*o.name)
	runtime.GC()
	runtime.Gosched()
	println(said, pointer.Value() == nil)
}
