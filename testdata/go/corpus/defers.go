package main

// Defer in all its forms: one, several, conditional, in loops, with arguments, of methods, in deferred calls.

//goemu:call f1()
//go:noinline
func f1() (result int) {
	defer func() {
		result++
	}()
	return 0
}

//goemu:call f2()
//go:noinline
func f2() (r int) {
	t := 5
	defer func() {
		t = t + 5
	}()
	return t
}

//goemu:call f3()
//go:noinline
func f3() (r int) {
	defer func(r int) {
		r = r + 5
	}(r)
	return 1
}

//goemu:call c()
//go:noinline
func c() (i int) {
	defer func() {
		i++
	}()
	return 1
}

// deferLoop cannot be open-coded: each turn registers one more call.
//
//goemu:call deferLoop(0)
//goemu:call deferLoop(1)
//goemu:call deferLoop(4)
//goemu:call deferLoop(40)
//go:noinline
func deferLoop(n int) (s int) {
	for i := 0; i < n; i++ {
		defer func(k int) { s = (s*10 + k) % 1000003 }(i)
	}
	return 0
}

//goemu:call deferCond(true)
//goemu:call deferCond(false)
//go:noinline
func deferCond(b bool) (s int) {
	if b {
		defer func() { s += 7 }()
	}
	defer func() { s *= 2 }()
	return 3
}

// deferBits has one bit of the open-coded defers' mask for each condition.
//
//goemu:call deferBits(0)
//goemu:call deferBits(1)
//goemu:call deferBits(5)
//goemu:call deferBits(10)
//goemu:call deferBits(15)
//go:noinline
func deferBits(mask uint8) (s int) {
	if mask&1 != 0 {
		defer func() { s = s*10 + 1 }()
	}
	if mask&2 != 0 {
		defer func() { s = s*10 + 2 }()
	}
	if mask&4 != 0 {
		defer func() { s = s*10 + 3 }()
	}
	if mask&8 != 0 {
		defer func() { s = s*10 + 4 }()
	}
	return 9
}

// deferEight is the most that Go open-codes.
//
//goemu:call deferEight(2)
//go:noinline
func deferEight(x int) (s int) {
	defer func() { s = s*3 + 1 }()
	defer func() { s = s*3 + 2 }()
	defer func() { s = s*3 + x }()
	defer func() { s = s*3 + 4 }()
	defer func() { s = s*3 + 5 }()
	defer func() { s = s*3 + x }()
	defer func() { s = s*3 + 7 }()
	defer func() { s = s*3 + 8 }()
	return x
}

// deferNine is one more than Go open-codes.
//
//goemu:call deferNine(2)
//go:noinline
func deferNine(x int) (s int) {
	defer func() { s = s*3 + 1 }()
	defer func() { s = s*3 + 2 }()
	defer func() { s = s*3 + x }()
	defer func() { s = s*3 + 4 }()
	defer func() { s = s*3 + 5 }()
	defer func() { s = s*3 + x }()
	defer func() { s = s*3 + 7 }()
	defer func() { s = s*3 + 8 }()
	defer func() { s = s*3 + 9 }()
	return x
}

// deferReturns has more return statements times defers than Go open-codes.
//
//goemu:call deferReturns(0)
//goemu:call deferReturns(3)
//goemu:call deferReturns(9)
//go:noinline
func deferReturns(n int) (s int) {
	defer func() { s += 100 }()
	defer func() { s *= 2 }()
	defer func() { s -= n }()
	switch n {
	case 0:
		return 1
	case 1:
		return 4
	case 2:
		return 9
	case 3:
		return 16
	case 4:
		return 25
	}
	return -1
}

// deferArgs evaluates the arguments where the defer statement stands.
//
//goemu:call deferArgs(3, "x", 2.5)
//goemu:call deferArgs(-1, "", 0)
//go:noinline
func deferArgs(i int, s string, f float64) (r string, n int) {
	defer func(i int, s string, f float64) {
		r += s
		n += i + int(f*2)
	}(i, s+"!", f)
	i, s, f = 1000, "changed", 1e9
	return s, i
}

// deferWide has arguments too large for registers.
//
//goemu:call deferWide(7)
//go:noinline
func deferWide(seed int) (sum int) {
	var wide [20]int
	for i := range wide {
		wide[i] = seed * i
	}
	defer func(w [20]int) {
		for _, x := range w {
			sum += x
		}
	}(wide)
	wide[3] = 1 << 40
	return 0
}

type counter struct{ n int }

func (c counter) addTo(p *int)   { *p = *p*10 + c.n }
func (c *counter) addNow(p *int) { *p = *p*10 + c.n }

type adder interface{ addTo(p *int) }

// deferMethods evaluates receivers early: the value's copy, the pointer, the interface's value.
//
//goemu:call deferMethods(2)
//go:noinline
func deferMethods(x int) (s int) {
	v := counter{x}
	p := &counter{x + 1}
	var i adder = counter{x + 2}
	defer v.addTo(&s)
	defer p.addNow(&s)
	defer i.addTo(&s)
	v.n, p.n = 8, 9
	i = counter{7}
	return 0
}

// deferMethodValue defers a bound method held in a variable.
//
//goemu:call deferMethodValue(4)
//go:noinline
func deferMethodValue(x int) (s int) {
	c := counter{x}
	bound := c.addTo
	c.n = 99
	defer bound(&s)
	return 1
}

// deferNested defers inside a deferred call.
//
//goemu:call deferNested(1)
//goemu:call deferNested(-3)
//go:noinline
func deferNested(x int) (s int) {
	defer func() {
		defer func() {
			defer func() { s = s*10 + 3 }()
			s = s*10 + 2
		}()
		s = s*10 + 1
	}()
	return x
}

// deferInLoopFunc runs a function with a defer at each turn: they do not add up.
//
//goemu:call deferInLoopFunc(10)
//go:noinline
func deferInLoopFunc(n int) (s int) {
	for i := 0; i < n; i++ {
		func() {
			defer func() { s += i }()
			s *= 2
		}()
	}
	return s
}

// deferGoto registers in a loop made of goto.
//
//goemu:call deferGoto(3)
//go:noinline
func deferGoto(n int) (s int) {
again:
	k := n
	defer func() { s = s*10 + k }()
	n--
	if n > 0 {
		goto again
	}
	return 0
}

// deferRecursive has a pending call in each of n frames.
//
//goemu:call deferRecursive(0)
//goemu:call deferRecursive(5)
//goemu:call deferRecursive(300)
//go:noinline
func deferRecursive(n int) (s int) {
	if n == 0 {
		return 1
	}
	defer func() { s += n }()
	return deferRecursive(n - 1)
}

// deferNamedResults changes several results of different kinds.
//
//goemu:call deferNamedResults(6)
//go:noinline
func deferNamedResults(x int) (a int, b string, c float64, d bool) {
	defer func() {
		a, b, c, d = a+1, b+"c", c/4, !d
	}()
	return x, "ab", float64(x), x > 5
}

// deferVariable defers whatever function a variable holds at the time.
//
//goemu:call deferVariable(true)
//goemu:call deferVariable(false)
//go:noinline
func deferVariable(b bool) (s int) {
	f := func() { s += 10 }
	if b {
		f = func() { s += 20 }
	}
	defer f()
	f = func() { s += 1000 }
	return 1
}

// deferNilFunc panics when the function returns, not where it defers.
//
//goemu:call deferNilFunc(2)
//go:noinline
func deferNilFunc(x int) (s int) {
	var f func()
	defer func() {
		if recover() != nil {
			s += 100
		}
	}()
	defer f()
	s = x
	return s
}

// loopVariable shows whose variable a closure in a loop captures: one for all turns before Go 1.22.
//
//goemu:call loopVariable(4)
//go:noinline
func loopVariable(n int) (s int) {
	for i := 0; i < n; i++ {
		defer func() { s = s*10 + i }()
	}
	return 0
}

// deferPrint shows the order on stderr.
//
//goemu:call deferPrint(2)
//go:noinline
func deferPrint(n int) {
	for i := 0; i < n; i++ {
		defer println("deferred", i)
	}
	println("body", n, true, 'a', "text")
}
