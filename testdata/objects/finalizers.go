// Package main sets finalizers, and asks for collections. Names of the runtime are linked to, so that no import is needed.
package main

import _ "unsafe"

//go:linkname setFinalizer runtime.SetFinalizer
func setFinalizer(object, finalizer interface{})

//go:linkname collect runtime.GC
func collect()

//go:linkname rest runtime.Gosched
func rest()

type object struct {
	next *object
	name string
	pad  [100]byte
}

var said string

func (o *object) gone() { said += o.name }

type goer interface{ gone() }

//go:noinline
func made(name string, next *object) *object {
	o := &object{name: name, next: next}
	setFinalizer(o, func(o *object) { said += o.name })
	return o
}

//go:noinline
func dropped() {
	made("a", made("b", nil))
	setFinalizer(&object{name: "i"}, func(g goer) { g.gone() })
}

// told is what was said, in the order of the alphabet: Go promises no other.
func told() string {
	letters := []byte(said)
	for i := range letters {
		for j := i; j > 0 && letters[j] < letters[j-1]; j-- {
			letters[j], letters[j-1] = letters[j-1], letters[j]
		}
	}
	said = ""
	return string(letters)
}

func main() {
	kept := made("k", nil)
	for i := 0; i < 3; i++ {
		dropped()
		collect()
		rest()
		println(told())
	}
	println(kept.name)
	collect()
	rest()
	println(told())
}
