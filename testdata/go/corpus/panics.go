package main

// Panics and recover: by the program and by the runtime, recovered and not.

var (
	zero    int
	numbers = []int{1, 2, 3}
	table   map[string]int
	nothing interface{}
	nowhere *point
	word    = "hello"
)

type codeError struct{ code int }

func (e codeError) Error() string { return "code " + itoa(e.code) }

type severity int

// raise panics in every way that a Go program can.
//
//go:noinline
func raise(how int) string {
	switch how {
	case 0:
		panic("boom")
	case 1:
		return itoa(numbers[how+100])
	case 2:
		return itoa(10 / zero)
	case 3:
		return itoa(nowhere.y)
	case 4:
		return word[how+1 : how]
	case 5:
		return itoa(nothing.(int))
	case 6:
		table[""] = 1
	case 7:
		panic(codeError{how})
	case 8:
		panic(how)
	case 9:
		panic(severity(how))
	case 10:
		nothing = word
		defer func() { nothing = nil }()
		return itoa(nothing.(interface{ area() float64 }).(circle).r)
	case 11:
		return itoa(numbers[how:][0])
	case 12:
		return itoa(len(make([]int, zero-how)))
	case 13:
		return itoa(1 << uint(zero) << (zero - how))
	case 14:
		var c chan int
		close(c)
	case 15:
		var e error
		panic(e)
	case 16:
		panic(2.5)
	case 17:
		panic(point{1, 2})
	case 18:
		nothing = []int{1}
		defer func() { nothing = nil }()
		return itoa(map[interface{}]int{}[nothing])
	case 19:
		a, b := interface{}(numbers), interface{}(numbers)
		return itoa(boolInt(a == b))
	case 20:
		return itoa(numbers[:how][0])
	case 21:
		return itoa(len(numbers[:zero:how]))
	case 22:
		return itoa(numbers[zero-1])
	case 23:
		var f func() int
		return itoa(f())
	case 24:
		panic(complex(1, -2))
	case 25:
		panic(uint8(200))
	case 26:
		var s shape
		return itoa(int(s.area()))
	}
	return "ok"
}

// unrecovered ends the program.
//
//goemu:call unrecovered(0)
//goemu:call unrecovered(1)
//goemu:call unrecovered(2)
//goemu:call unrecovered(3)
//goemu:call unrecovered(4)
//goemu:call unrecovered(5)
//goemu:call unrecovered(6)
//goemu:call unrecovered(7)
//goemu:call unrecovered(8)
//goemu:call unrecovered(9)
//goemu:call unrecovered(10)
//goemu:call unrecovered(11)
//goemu:call unrecovered(12)
//goemu:call unrecovered(13)
//goemu:call unrecovered(14)
//goemu:call unrecovered(16)
//goemu:call unrecovered(18)
//goemu:call unrecovered(19)
//goemu:call unrecovered(20)
//goemu:call unrecovered(21)
//goemu:call unrecovered(22)
//goemu:call unrecovered(23)
//goemu:call unrecovered(24)
//goemu:call unrecovered(25)
//goemu:call unrecovered(26)
//goemu:call unrecovered(27)
//go:noinline
func unrecovered(how int) string {
	return "<" + raise(how) + ">"
}

// recovered turns each of them into text.
//
//goemu:call recovered(0)
//goemu:call recovered(1)
//goemu:call recovered(2)
//goemu:call recovered(3)
//goemu:call recovered(4)
//goemu:call recovered(5)
//goemu:call recovered(6)
//goemu:call recovered(7)
//goemu:call recovered(8)
//goemu:call recovered(9)
//goemu:call recovered(10)
//goemu:call recovered(11)
//goemu:call recovered(12)
//goemu:call recovered(13)
//goemu:call recovered(14)
//goemu:call recovered(15)
//goemu:call recovered(16)
//goemu:call recovered(17)
//goemu:call recovered(18)
//goemu:call recovered(19)
//goemu:call recovered(20)
//goemu:call recovered(21)
//goemu:call recovered(22)
//goemu:call recovered(23)
//goemu:call recovered(24)
//goemu:call recovered(25)
//goemu:call recovered(26)
//goemu:call recovered(27)
//go:noinline
func recovered(how int) (text string) {
	defer func() {
		switch e := recover().(type) {
		case nil:
			text += ", no panic"
		case error:
			text = "error " + e.Error()
		case string:
			text = "string " + e
		case int:
			text = "int " + itoa(e)
		case point:
			text = "point " + itoa(e.x) + " " + itoa(e.y)
		default:
			text = "other"
		}
	}()
	return raise(how)
}

//goemu:call panicNested()
//go:noinline
func panicNested() (r int) {
	defer func() {
		if e := recover(); e != nil {
			r = r*10 + e.(int)
		}
	}()
	defer func() {
		defer func() {
			if e := recover(); e != nil {
				r = r*10 + e.(int)
			}
		}()
		panic(2)
	}()
	panic(1)
}

//goemu:call panicReplaced()
//go:noinline
func panicReplaced() (r int) {
	defer func() { r = recover().(int) }()
	defer func() { panic(7) }()
	panic(3)
}

// panicAgain raises what it recovered, changed.
//
//goemu:call panicAgain("a")
//go:noinline
func panicAgain(s string) (r string) {
	defer func() { r = recover().(string) }()
	func() {
		defer func() {
			panic(recover().(string) + "b")
		}()
		panic(s)
	}()
	return "not here"
}

// panicTwice is not recovered: Go prints both.
//
//goemu:call panicTwice(1)
//go:noinline
func panicTwice(x int) int {
	defer func() { panic("second") }()
	if x > 0 {
		panic("first")
	}
	return x
}

// panicRethrown is recovered once, and raised again.
//
//goemu:call panicRethrown(5)
//go:noinline
func panicRethrown(x int) int {
	defer func() {
		e := recover()
		panic(e)
	}()
	return numbers[x]
}

//go:noinline
func tryRecover() int {
	if e := recover(); e != nil {
		return e.(int)
	}
	return -1
}

// recoverNotDirect: recover does nothing in a function that a deferred one calls.
//
//goemu:call recoverNotDirect()
//go:noinline
func recoverNotDirect() (r int) {
	defer func() { recover() }()
	defer func() { r = r*10 + tryRecover() + 5 }()
	panic(9)
}

// recoverDirect: the helper itself is deferred.
//
//goemu:call recoverDirect()
//go:noinline
func recoverDirect() (r int) {
	defer func() { r++ }()
	defer tryRecover()
	panic(9)
}

// recoverWithout panics: nothing to recover.
//
//goemu:call recoverWithout()
//go:noinline
func recoverWithout() (r string) {
	defer func() { r = show(recover()) }()
	return "x"
}

// recoverTwice: the second recover of one panic gets nil.
//
//goemu:call recoverTwice("a")
//go:noinline
func recoverTwice(s string) (r string) {
	defer func() {
		a, b := recover(), recover()
		r = show(a) + show(b)
	}()
	panic(s)
}

var unwound int

//go:noinline
func panicThrough(n int) int {
	if n == 0 {
		panic(4)
	}
	defer func() { unwound++ }()
	return panicThrough(n-1) + 1
}

// panicFrames unwinds n frames, each with a deferred call.
//
//goemu:call panicFrames(0)
//goemu:call panicFrames(5)
//goemu:call panicFrames(200)
//go:noinline
func panicFrames(n int) (r int) {
	unwound = 0
	defer func() { r = unwound*10 + recover().(int) }()
	return panicThrough(n)
}

//goemu:call panicDeferLoop(4)
//go:noinline
func panicDeferLoop(n int) (r int) {
	defer func() { recover() }()
	for i := 0; i < n; i++ {
		k := i
		defer func() { r = r*10 + k }()
	}
	panic("x")
}

// panicConditional has open-coded defers of which the panic meets only some.
//
//goemu:call panicConditional(0)
//goemu:call panicConditional(1)
//goemu:call panicConditional(2)
//goemu:call panicConditional(3)
//go:noinline
func panicConditional(at int) (r int) {
	defer func() {
		recover()
		r = r*10 + 1
	}()
	if at == 1 {
		panic(1)
	}
	defer func() { r = r*10 + 2 }()
	if at == 2 {
		panic(2)
	}
	if at != 0 {
		defer func() { r = r*10 + 3 }()
		panic(3)
	}
	return 7
}

// recoverLoop panics and recovers at each turn.
//
//goemu:call recoverLoop(6)
//goemu:call recoverLoop(1000)
//go:noinline
func recoverLoop(n int) (s int) {
	for i := 0; i < n; i++ {
		func() {
			defer func() {
				if e := recover(); e != nil {
					s += e.(int)
				}
			}()
			if i%2 == 1 {
				panic(i)
			}
		}()
	}
	return s
}

// recoverUnnamed returns the zero value: its result has no name to be set by.
//
//goemu:call recoverUnnamed(1)
//goemu:call recoverUnnamed(9)
//go:noinline
func recoverUnnamed(i int) int {
	defer func() { recover() }()
	return numbers[i]
}

// recoverPartial keeps what was stored before the panic.
//
//goemu:call recoverPartial(2)
//goemu:call recoverPartial(-1)
//go:noinline
func recoverPartial(i int) (a int, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = codeError{i}
		}
	}()
	a = 42
	a = numbers[i]
	return a, nil
}

// panicInDeferAfterReturn panics while the function is already returning.
//
//goemu:call panicInDeferAfterReturn(3)
//go:noinline
func panicInDeferAfterReturn(x int) (r int) {
	defer func() { r += recover().(int) }()
	defer func() { panic(r * 100) }()
	return x
}

// panicDeep is recovered far above, after the stack has grown.
//
//goemu:call panicDeep(1500)
//go:noinline
func panicDeep(n int) (s string) {
	defer func() { s = recover().(error).Error() }()
	return itoa(deepIndex(n))
}

//go:noinline
func deepIndex(n int) int {
	var pad [10]int
	pad[n%10] = n
	if n == 0 {
		return numbers[pad[0]+3]
	}
	return deepIndex(n-1) + pad[n%10]
}

// divideByte and the like: the processor's own fault or the compiler's check.
//
//goemu:call divide(7, 2)
//goemu:call divide(-7, 2)
//goemu:call divide(-9223372036854775808, -1)
//goemu:call divide(1, 0)
//go:noinline
func divide(a, b int) (int, int) { return a / b, a % b }

//goemu:call index([]int{4, 5, 6}, 2)
//goemu:call index([]int{4, 5, 6}, 3)
//goemu:call index([]int{}, 0)
//goemu:call index([]int{1}, -1)
//goemu:call index([]int{1}, 9223372036854775807)
//go:noinline
func index(s []int, i int) int { return s[i] }

//goemu:call slice("hello", 1, 3)
//goemu:call slice("hello", 3, 1)
//goemu:call slice("hello", 0, 6)
//goemu:call slice("hello", -1, 2)
//go:noinline
func slice(s string, i, j int) string { return s[i:j] }

// stackOverflow recurses for ever: fatal, not a panic.
//
//goemu:fatal stackOverflow(1)
//go:noinline
func stackOverflow(n int) int { return stackOverflow(n+1) + n }
