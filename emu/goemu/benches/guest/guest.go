// The functions that goemu's benches run, natively and emulated. Built by Go 1.27:
//
//	go build -trimpath -ldflags="-buildid= -s -w" -o guest-go1.27 guest.go
//
// (`library.go` and `template.go`, which need Go's runtime, alike.)
//
// With a name and a number it calls that function until half a second has passed, and prints the
// nanoseconds of the fastest call.
package main

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"time"
)

//go:noinline
func add(a, b int) int { return a + b }

//go:noinline
func f1() (result int) {
	defer func() { result++ }()
	return 0
}

//go:noinline
func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

var flags [1 << 20]bool

//go:noinline
func sieve(n int) int {
	for i := 2; i < n; i++ {
		flags[i] = true
	}
	count := 0
	for i := 2; i < n; i++ {
		if flags[i] {
			count++
			for k := i + i; k < n; k += i {
				flags[k] = false
			}
		}
	}
	return count
}

var numbers [1 << 20]int

//go:noinline
func quicksort(n int) int {
	seed := uint32(1)
	for i := range numbers[:n] {
		seed = seed*1664525 + 1013904223
		numbers[i] = int(seed >> 8)
	}
	sort(numbers[:n])
	return numbers[n/2]
}

func sort(a []int) {
	for len(a) > 1 {
		pivot, i, j := a[len(a)/2], 0, len(a)-1
		for i <= j {
			for a[i] < pivot {
				i++
			}
			for a[j] > pivot {
				j--
			}
			if i <= j {
				a[i], a[j] = a[j], a[i]
				i++
				j--
			}
		}
		sort(a[:j+1])
		a = a[i:]
	}
}

//go:noinline
func mix(n int) uint64 {
	a, b, c := uint64(0x9e3779b97f4a7c15), uint64(0xbf58476d1ce4e5b9), uint64(n)
	for i := 0; i < n; i++ {
		a -= c
		a ^= c << 8
		c += b
		b -= a
		b ^= a >> 19
		a += c
		c -= b
		c ^= c >> 7
		b += a*31 + uint64(i)
		a = a<<13 | a>>51
	}
	return a ^ b ^ c
}

//go:noinline
func add3(a, b, c int) int { return a + b + c }

// Calls of a small function, and of one that calls it.
//
//go:noinline
func add6(a, b, c int) int { return add3(a, b, c) + add3(c, a, 1) }

//go:noinline
func calls(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		sum = add3(sum, i, 1) + add6(i, sum, 2)
	}
	return sum
}

type body struct{ x, y, z, vx, vy, vz, mass float64 }

var bodies [5]body

//go:noinline
func nbody(n int) float64 {
	for i := range bodies {
		f := float64(i + 1)
		bodies[i] = body{f, 2 - f, f * f, f / 10, 0.3 - f/20, 0.01 * f, 1 / f}
	}
	for ; n > 0; n-- {
		for i := range bodies {
			a := &bodies[i]
			for j := i + 1; j < len(bodies); j++ {
				b := &bodies[j]
				dx, dy, dz := a.x-b.x, a.y-b.y, a.z-b.z
				d := dx*dx + dy*dy + dz*dz
				m := 0.001 / (d * math.Sqrt(d))
				a.vx -= dx * b.mass * m
				a.vy -= dy * b.mass * m
				a.vz -= dz * b.mass * m
				b.vx += dx * a.mass * m
				b.vy += dy * a.mass * m
				b.vz += dz * a.mass * m
			}
		}
		for i := range bodies {
			b := &bodies[i]
			b.x += 0.001 * b.vx
			b.y += 0.001 * b.vy
			b.z += 0.001 * b.vz
		}
	}
	return bodies[0].x
}

var source, target [1 << 16]byte

// What copies and looks for bytes: AVX2, where the processor has it.
//
//go:noinline
func search(n int) int {
	for i := range source {
		source[i] = byte(i*7) | 1
	}
	found := 0
	for ; n > 0; n-- {
		copy(target[n&63:], source[:1<<12+n&1023])
		found += bytes.IndexByte(target[:1<<12], byte(n)&^1)
		found += bytes.Compare(target[64:1<<11], source[:1<<11])
	}
	return found
}

var x, y, z [64 * 64]float64

//go:noinline
func matmul(n int) float64 {
	for i := 0; i < n*n; i++ {
		x[i], y[i], z[i] = float64(i%7), float64(i%11), 0
	}
	for i := 0; i < n; i++ {
		for k := 0; k < n; k++ {
			f := x[i*n+k]
			for j := 0; j < n; j++ {
				z[i*n+j] += f * y[k*n+j]
			}
		}
	}
	return z[n+1]
}

var functions = map[string]func(n int){
	"add":       func(n int) { add(n, n) },
	"calls":     func(n int) { calls(n) },
	"nbody":     func(n int) { nbody(n) },
	"search":    func(n int) { search(n) },
	"f1":        func(n int) { f1() },
	"fib":       func(n int) { fib(n) },
	"sieve":     func(n int) { sieve(n) },
	"quicksort": func(n int) { quicksort(n) },
	"mix":       func(n int) { mix(n) },
	"matmul":    func(n int) { matmul(n) },
}

func main() {
	name := os.Args[1]
	n, _ := strconv.Atoi(os.Args[2])
	best, start := time.Hour, time.Now()
	for time.Since(start) < time.Second/2 {
		t := time.Now()
		functions[name](n)
		if d := time.Since(t); d < best {
			best = d
		}
	}
	println(best.Nanoseconds())
}
