// Package main holds range-over-func loops and generic functions, for Go 1.23 and later. No imports: the object is whole.
package main

var log string

func digit(n int) string { return string(rune('0' + n)) }

func count(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		defer func() { log += "." }()
		for i := 0; i < n; i++ {
			if !yield(i) {
				return
			}
		}
	}
}

func odd(n int) (sum int) {
	for x := range count(n) {
		if x == 7 {
			break
		}
		if x%2 == 0 {
			continue
		}
		sum += x
	}
	return
}

// What the body defers runs when the function returns.
func deferred(n int) (out string) {
	log = ""
	defer func() { out = log }()
	defer func() { log += "first " }()
	for x := range count(n) {
		defer func() { log += "body" + digit(x) + " " }()
	}
	defer func() { log += "last " }()
	log += "end "
	return
}

func recovered(n int) (out string) {
	log = ""
	defer func() { out = log }()
	func() {
		for x := range count(n) {
			defer func() {
				if r := recover(); r != nil {
					log += "recovered" + digit(r.(int)) + " "
				} else {
					log += "ran "
				}
			}()
			if x == 2 {
				panic(x * 3)
			}
		}
	}()
	return
}

func labels(n int) (sum int) {
outer:
	for x := range count(n) {
		for y := range count(n) {
			if y == 3 {
				continue outer
			}
			if x == 4 {
				break outer
			}
			sum += x*10 + y
		}
	}
	return
}

func goesOn(yield func(int) bool) {
	yield(1)
	yield(2)
}

func swallows(yield func(int) bool) {
	defer func() { recover() }()
	yield(1)
}

func again(yield func(int) bool) {
	swallows(yield)
	yield(2)
}

var kept func(int) bool

func keeps(yield func(int) bool) { kept = yield }

func fails(what int) (text string) {
	defer func() { text = recover().(error).Error() }()
	switch what {
	case 0:
		for range goesOn {
			break
		}
	case 1:
		for range swallows {
			panic("x")
		}
	case 2:
		for range again {
			panic("x")
		}
	case 3:
		for range keeps {
		}
		kept(1)
	}
	return "nothing"
}

type number interface{ ~int | ~float64 }

func sum[E number](xs []E) (total E) {
	for _, x := range xs {
		total += x
	}
	return
}

func mapTo[A, B any](from []A, f func(A) B) (to []B) {
	for _, a := range from {
		to = append(to, f(a))
	}
	return
}

type stack[E any] struct{ items []E }

func (s *stack[E]) push(item E) { s.items = append(s.items, item) }

func (s *stack[E]) pop() (item E, ok bool) {
	if len(s.items) == 0 {
		return
	}
	item = s.items[len(s.items)-1]
	s.items = s.items[:len(s.items)-1]
	return item, true
}

func stacked(n int) (string, bool) {
	s := &stack[string]{}
	for i := range n {
		s.push(digit(i))
	}
	return s.pop()
}

func array(n int) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = r.(error).Error()
		}
	}()
	return digit([3]int(make([]int, n))[0])
}

func divided(x, y complex128) complex128 { return x / y }

//go:noinline
func adder(n int) func(int) int { return func(m int) int { n += m; return n } }

func nilPanic() { panic(nil) }

func main() {
	println(odd(10))
	println(deferred(3))
	println(recovered(5))
	println(labels(6))
	for i := range 4 {
		println(fails(i))
	}
	println(sum([]int{1, 2, 3}), sum([]float64{1.5, 2.5}) == 4)
	println(mapTo([]int{1, 2, 3}, digit)[2])
	println(stacked(4))
	println(array(4), array(2))
	println(divided(1i, 2) == 0.5i, real(divided(1, 0)) > 0)
	println(adder(40)(2))
	println(min(3, 1, 2), max("a", "b"))
}
