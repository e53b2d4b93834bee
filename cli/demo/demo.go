// The demo of goemu: four short functions with one question each. What do they return, and why?
//
//	goemu call main.f1 --trace
//
// A return statement is not one step. It first stores the results where the caller will read them, then
// runs the deferred calls, then returns. A deferred call changes what the caller gets only if it writes to
// that same place: the result itself, not a copy of it.
package main

func main() {
	println("f1", f1())
	println("f2", f2())
	println("f3", f3())
	println("c", c())
}

// f1 returns 1: "return 0" stores 0 in result, then the closure increments result itself.
func f1() (result int) {
	defer func() {
		result++
	}()
	return 0
}

// f2 returns 5: "return t" copies 5 into r, then the closure changes t, which nobody reads again.
func f2() (r int) {
	t := 5
	defer func() {
		t = t + 5
	}()
	return t
}

// f3 returns 1: the closure's r is a parameter of its own, set to 0 when the defer statement runs.
func f3() (r int) {
	defer func(r int) {
		r = r + 5
	}(r)
	return 1
}

// c returns 2: as f1, with another value stored first.
func c() (i int) {
	defer func() {
		i++
	}()
	return 1
}
