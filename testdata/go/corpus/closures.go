package main

// Closures, method values, and functions as values.

//goemu:call closureByReference(10)
//go:noinline
func closureByReference(x int) int {
	f := func() { x += 5 }
	f()
	f()
	return x
}

//goemu:call closureByValue(10)
//go:noinline
func closureByValue(x int) int {
	f := makeAdder(x)
	x = 1000
	return f(1) + f(2)
}

//go:noinline
func makeAdder(n int) func(int) int { return func(x int) int { return x + n } }

//go:noinline
func makeCounter() func() int {
	n := 0
	return func() int { n++; return n }
}

// counters have a variable each.
//
//goemu:call counters()
//go:noinline
func counters() (int, int, int) {
	a, b := makeCounter(), makeCounter()
	a()
	a()
	b()
	return a(), b(), a()
}

// shared: two closures over one variable.
//
//goemu:call shared(3)
//go:noinline
func shared(n int) int {
	get, add := func() int { return n }, func(d int) { n += d }
	for i := 0; i < 4; i++ {
		add(get())
	}
	return get()
}

//goemu:call compose(7)
//go:noinline
func compose(x int) int {
	square := func(x int) int { return x * x }
	return chain([]func(int) int{makeAdder(1), square, makeAdder(-3)}, x)
}

//go:noinline
func chain(fs []func(int) int, x int) int {
	for _, f := range fs {
		x = f(x)
	}
	return x
}

//goemu:call apply(4)
//go:noinline
func apply(n int) int {
	c := counter{n}
	s := 0
	f := (*counter).addNow
	f(&c, &s)
	counter.addTo(c, &s)
	g := c.addTo
	g(&s)
	return s
}

// closureRecursive calls itself through the variable that it captures.
//
//goemu:call closureRecursive(20)
//go:noinline
func closureRecursive(n int) int {
	var fib func(int) int
	fib = func(n int) int {
		if n < 2 {
			return n
		}
		return fib(n-1) + fib(n-2)
	}
	return fib(n)
}

// closureMany captures values of many kinds.
//
//goemu:call closureMany(3, "ab", 1.5)
//go:noinline
func closureMany(i int, s string, f float64) (int, string, float64) {
	a := [3]int{i, i + 1, i + 2}
	p := &point{i, -i}
	run := func() {
		i += a[1] * p.y
		s += itoa(p.x)
		f *= float64(a[2])
	}
	run()
	run()
	return i, s, f
}
