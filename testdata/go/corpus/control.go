package main

// Loops, recursion, switches, and stacks that grow.

//goemu:call fib(0)
//goemu:call fib(1)
//goemu:call fib(20)
//go:noinline
func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

//goemu:call ackermann(2, 3)
//go:noinline
func ackermann(m, n int) int {
	if m == 0 {
		return n + 1
	}
	if n == 0 {
		return ackermann(m-1, 1)
	}
	return ackermann(m-1, ackermann(m, n-1))
}

//goemu:call isEven(101)
//go:noinline
func isEven(n uint) bool { return n == 0 || isOdd(n-1) }

//go:noinline
func isOdd(n uint) bool { return n != 0 && isEven(n-1) }

// deep needs 280 bytes a frame: at 20000 the stack has doubled twelve times.
//
//goemu:call deep(0)
//goemu:call deep(10)
//goemu:call deep(20000)
//go:noinline
func deep(n int) int {
	var pad [32]int
	pad[n%32] = n
	if n == 0 {
		return 0
	}
	return deep(n-1) + pad[n%32]
}

// deepArgs grows the stack while registers and stack hold arguments.
//
//goemu:call deepArgs(3000, 1.5, "x", 2, 3, 4, 5, 6, 7, 8, 9, 10)
//go:noinline
func deepArgs(n int, f float64, s string, a, b, c, d, e, g, h, i, j int) (int, float64, string) {
	var pad [16]int
	pad[n%16] = a
	if n == 0 {
		return a + b + c + d + e + g + h + i + j, f, s
	}
	x, y, z := deepArgs(n-1, f, s, j, a, b, c, d, e, g, h, i)
	return x + pad[n%16], y + 0.5, z
}

// bigFrame has more than a page of locals.
//
//goemu:call bigFrame(3)
//goemu:call bigFrame(999)
//go:noinline
func bigFrame(n int) int {
	var big [1000]int
	for i := range big {
		big[i] = i ^ n
	}
	return big[n] + big[999-n] + len(big)
}

// hugeFrame is far larger than any first stack.
//
//goemu:call hugeFrame(5)
//go:noinline
func hugeFrame(n int) int {
	var huge [20000]int
	huge[n*1000] = n
	return sumArray(&huge) + bigFrame(n)
}

//go:noinline
func sumArray(a *[20000]int) (s int) {
	for _, x := range a {
		s += x
	}
	return s
}

//goemu:call loops(10)
//goemu:call loops(0)
//go:noinline
func loops(n int) (s int) {
outer:
	for i := 0; i < n; i++ {
		for j := n; j > 0; j -= 2 {
			switch {
			case j == i:
				continue outer
			case i*j > 40:
				break outer
			}
			s += i * j
		}
	}
	return s
}

//goemu:call collatz(27)
//goemu:call collatz(1)
//go:noinline
func collatz(n uint64) (steps int) {
	for n != 1 {
		if n%2 == 0 {
			n /= 2
		} else {
			n = 3*n + 1
		}
		steps++
	}
	return steps
}

// jumpTable is dense enough for a table of addresses (from Go 1.19).
//
//goemu:call jumpTable(0)
//goemu:call jumpTable(7)
//goemu:call jumpTable(11)
//goemu:call jumpTable(12)
//goemu:call jumpTable(-1)
//go:noinline
func jumpTable(n int) string {
	switch n {
	case 0:
		return "zero"
	case 1:
		return "one"
	case 2:
		return "two"
	case 3:
		return "three"
	case 4:
		return "four"
	case 5:
		return "five"
	case 6:
		return "six"
	case 7:
		return "seven"
	case 8:
		return "eight"
	case 9:
		return "nine"
	case 10:
		return "ten"
	case 11:
		return "eleven"
	}
	return "many"
}

//goemu:call stringSwitch("mon")
//goemu:call stringSwitch("sunday")
//goemu:call stringSwitch("")
//goemu:call stringSwitch("fri\x00")
//go:noinline
func stringSwitch(s string) int {
	switch s {
	case "mon":
		return 1
	case "tue":
		return 2
	case "wed":
		return 3
	case "thu":
		return 4
	case "fri":
		return 5
	case "sat", "saturday":
		return 6
	case "sun", "sunday":
		return 7
	case "":
		return -1
	}
	return 0
}

//goemu:call fallthroughs(1)
//goemu:call fallthroughs(3)
//go:noinline
func fallthroughs(n int) (s int) {
	switch n {
	case 1:
		s += 1
		fallthrough
	case 2:
		s += 10
		fallthrough
	case 3:
		s += 100
	default:
		s += 1000
	}
	return s
}

//goemu:call sieve(1000)
//go:noinline
func sieve(n int) (count int) {
	composite := make([]bool, n+1)
	for i := 2; i <= n; i++ {
		if !composite[i] {
			count++
			for j := i * i; j <= n; j += i {
				composite[j] = true
			}
		}
	}
	return count
}

//goemu:call quicksort([]int{5, -1, 3, 3, 9223372036854775807, 0, -9223372036854775808})
//goemu:call quicksort([]int{})
//goemu:call quicksort([]int{1})
//go:noinline
func quicksort(a []int) []int {
	if len(a) > 1 {
		p, i := a[len(a)/2], 0
		j := len(a) - 1
		for i <= j {
			for a[i] < p {
				i++
			}
			for a[j] > p {
				j--
			}
			if i <= j {
				a[i], a[j] = a[j], a[i]
				i++
				j--
			}
		}
		quicksort(a[:j+1])
		quicksort(a[i:])
	}
	return a
}

//goemu:call hanoi(10, 1, 3)
//go:noinline
func hanoi(n, from, to int) int {
	if n == 0 {
		return 0
	}
	via := 6 - from - to
	return hanoi(n-1, from, via) + 1 + hanoi(n-1, via, to)
}

//goemu:call printAll(-5, 5, 1.25, "tab\tnew", true)
//go:noinline
func printAll(i int, u uint8, f float64, s string, b bool) int {
	println(i, u, f, s, b, 'x', nil == nothing, 3+4i)
	print("no newline ", i, u, "\n")
	return 1
}
