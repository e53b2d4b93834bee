//go:debug panicnil=1

package main

// A setting of GODEBUG that the program itself makes: since Go 1.21 a nil panic is an error without it.

//goemu:call panicNil()
//go:noinline
func panicNil() (value interface{}, deferred bool) {
	defer func() { value, deferred = recover(), true }()
	panic(nil)
}

//goemu:fatal unrecovered()
//go:noinline
func unrecovered() { panic(nil) }
