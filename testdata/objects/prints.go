// What print and println write of floating-point numbers, which Go 1.26 changed, and strings joined into slices of bytes,
// for which compilers since 1.25 call functions of their own.
package main

var (
	f64  = []float64{0, 1, -0.5, 0.1, 123456789, 1e20, 1e21, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308}
	f32  = []float32{1.5, 0.1, 16777216, 3.4e38}
	zero float64
)

func main() {
	for _, f := range f64 {
		println(f, -f)
	}
	for _, f := range f32 {
		println(f)
	}
	println(1/zero, -1/zero, zero/zero)
	for i, f := range f64 {
		println(complex(f, -f), complex64(complex(f32[i%len(f32)], 2)))
	}
	println(complex(zero/zero, 1/zero), complex(-1/zero, zero/zero))
	short(buffered("ab"), len("ab"))
	short(buffered("longer than the buffer of the caller"), 0)
	show(joined2("a", "bc"))
	show(joined2("", ""))
	show(joined3("a", "", "c"))
	show(joined4("a", "b", "c", "d"))
	show(joined5("a", "b", "c", "d", "e"))
	show(joined7("x", "yz"))
}

//go:noinline
func buffered(s string) int {
	b := []byte(s + "x")
	b[0] = '!'
	return cap(b) + int(b[0])
}

//go:noinline
func short(n, m int) { println(n, m) }

//go:noinline
func show(b []byte) { println(b != nil, len(b), string(b)) }

//go:noinline
func joined2(s, t string) []byte { return []byte(s + t) }

//go:noinline
func joined3(s, t, u string) []byte { return []byte(s + t + u) }

//go:noinline
func joined4(s, t, u, v string) []byte { return []byte(s + t + u + v) }

//go:noinline
func joined5(s, t, u, v, w string) []byte { return []byte(s + t + u + v + w) }

//go:noinline
func joined7(s, t string) []byte { return []byte(s + t + "1" + s + "2" + t + "3" + s) }
