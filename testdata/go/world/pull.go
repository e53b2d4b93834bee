//go:build go1.23
// +build go1.23

package main

// Coroutines, which iter.Pull is made of.

import "iter"

func upTo(n int) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for i := 0; i < n; i++ {
			if !yield(i, "abcdefgh"[:i%8]) {
				return
			}
		}
	}
}

//goemu:call pulled(5)
//go:noinline
func pulled(n int) (sum, first int) {
	next, stop := iter.Pull2(upTo(n))
	defer stop()
	for {
		i, s, ok := next()
		if !ok {
			break
		}
		sum += i * len(s)
	}
	other, end := iter.Pull2(upTo(1000))
	other()
	first, _, _ = other()
	end()
	return sum, first
}

//goemu:call pulledPanic()
//go:noinline
func pulledPanic() (text string) {
	defer func() { text, _ = recover().(string) }()
	next, stop := iter.Pull(func(yield func(int) bool) {
		yield(1)
		panic("from inside")
	})
	defer stop()
	next()
	next()
	return "not reached"
}
