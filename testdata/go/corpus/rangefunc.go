//go:build go1.23
// +build go1.23

package main

// Range over functions: the loop's body is a closure, and so are its defers, returns and breaks.

//go:noinline
func count(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := 0; i < n; i++ {
			if !yield(i) {
				return
			}
		}
	}
}

//goemu:call rangeSum(5)
//goemu:call rangeSum(0)
//go:noinline
func rangeSum(n int) (s int) {
	for x := range count(n) {
		s += x
	}
	return s
}

//goemu:call rangeReturn(100, 7)
//goemu:call rangeReturn(3, 7)
//go:noinline
func rangeReturn(n, stop int) string {
	for x := range count(n) {
		if x == stop {
			return "stopped at " + itoa(x)
		}
	}
	return "never"
}

//goemu:call rangeNested(6)
//go:noinline
func rangeNested(n int) (s int) {
outer:
	for x := range count(n) {
		for y := range count(n) {
			if y > x {
				continue outer
			}
			if x+y > 8 {
				break outer
			}
			s += x * y
		}
	}
	return s
}

// rangeDefer defers in the body: the calls run when rangeDefer returns.
//
//goemu:call rangeDefer(4)
//go:noinline
func rangeDefer(n int) (t int) {
	for x := range count(n) {
		defer func() { t = t*10 + x }()
	}
	return 0
}

//goemu:call rangePanic(3)
//go:noinline
func rangePanic(n int) (r int) {
	defer func() { r = r*10 + recover().(int) }()
	for x := range count(n) {
		defer func() { r += x + 1 }()
		if x == 2 {
			panic(x)
		}
	}
	return -1
}

//goemu:call rangeInt(5)
//go:noinline
func rangeInt(n int) (s int) {
	for i := range n {
		s = s*3 + i
	}
	return s
}

//goemu:call builtins(3, 9, 4)
//go:noinline
func builtins(a, b, c int) (int, int, int) {
	m := map[int]int{a: b, c: a}
	clear(m)
	return min(a, b, c), max(a, b, c), len(m)
}
