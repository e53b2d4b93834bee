package main

// Integers of every width, shifts, division, bits, floats, complex numbers and conversions.

//goemu:call addOverflow8(127, 1)
//goemu:call addOverflow8(-128, -1)
//go:noinline
func addOverflow8(a, b int8) (int8, int8, int8) { return a + b, a - b, a * b }

//goemu:call unsigned8(255, 1)
//goemu:call unsigned8(3, 200)
//go:noinline
func unsigned8(a, b uint8) (uint8, uint8, uint8, uint8, uint8) {
	return a + b, a - b, a * b, a / b, a % b
}

//goemu:call signed16(-32768, -1)
//goemu:call signed16(1000, 7)
//go:noinline
func signed16(a, b int16) (int16, int16, int16, int16) { return a / b, a % b, a * b, -a }

//goemu:call signed32(-2147483648, -1)
//goemu:call signed32(-100, 7)
//go:noinline
func signed32(a, b int32) (int32, int32, int32, int32) { return a / b, a % b, a * b, a - b }

//goemu:call unsigned64(18446744073709551615, 10)
//goemu:call unsigned64(1, 18446744073709551615)
//go:noinline
func unsigned64(a, b uint64) (uint64, uint64, uint64, uint64) { return a / b, a % b, a * b, a - b }

// divideConst has constants that become multiplications and shifts.
//
//goemu:call divideConst(1000000007)
//goemu:call divideConst(-1)
//goemu:call divideConst(-9223372036854775808)
//go:noinline
func divideConst(n int) (int, int, int, int, int, uint) {
	return n / 3, n % 10, n / 8, n % 16, n / -7, uint(n) / 1000003
}

// shifts by more than the width: Go defines them, the processor does not.
//
//goemu:call shifts(-5, 1)
//goemu:call shifts(-5, 63)
//goemu:call shifts(-5, 64)
//goemu:call shifts(9223372036854775807, 200)
//goemu:call shifts(1, 0)
//go:noinline
func shifts(x int, n uint) (int, int, uint, uint32, int8) {
	return x << n, x >> n, uint(x) >> n, uint32(x) << n, int8(x) >> n
}

//goemu:call shiftSigned(1, 10)
//goemu:call shiftSigned(1, -1)
//go:noinline
func shiftSigned(x, n int) int { return x << n }

//goemu:call bitwise(0xff00ff00, 0x0ff00ff0)
//goemu:call bitwise(0, 18446744073709551615)
//go:noinline
func bitwise(a, b uint64) (uint64, uint64, uint64, uint64, uint64) {
	return a & b, a | b, a ^ b, a &^ b, ^a
}

//goemu:call rotate(0x123456789abcdef0, 12)
//goemu:call rotate(1, 64)
//go:noinline
func rotate(x uint64, n uint) (uint64, uint32, uint64) {
	return x<<(n&63) | x>>(64-n&63), uint32(x)<<7 | uint32(x)>>25, x<<32 | x>>32
}

//goemu:call popCount(0)
//goemu:call popCount(18446744073709551615)
//goemu:call popCount(0x8000000000000001)
//go:noinline
func popCount(x uint64) (n int) {
	for ; x != 0; x &= x - 1 {
		n++
	}
	return n
}

// mix has multiplications, rotations and xors, as hashes do.
//
//goemu:call mix(0, 1)
//goemu:call mix(1000, 42)
//go:noinline
func mix(n int, seed uint64) uint64 {
	h := seed
	for i := 0; i < n; i++ {
		h ^= h << 13
		h ^= h >> 7
		h ^= h << 17
		h = h*0x9e3779b97f4a7c15 + uint64(i)
	}
	return h
}

//goemu:call compare(1, 2)
//goemu:call compare(-1, 1)
//goemu:call compare(5, 5)
//go:noinline
func compare(a, b int) (bool, bool, bool, bool, bool, bool, bool) {
	return a < b, a <= b, a > b, a >= b, a == b, a != b, uint(a) < uint(b)
}

//goemu:call gcd(1071, 462)
//goemu:call gcd(0, 5)
//go:noinline
func gcd(a, b uint) uint {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

//goemu:call powMod(3, 1000, 1000000007)
//go:noinline
func powMod(b, e, m uint64) uint64 {
	r := uint64(1)
	for ; e > 0; e >>= 1 {
		if e&1 == 1 {
			r = r * b % m
		}
		b = b * b % m
	}
	return r
}

//goemu:call floats(1.5, -2.25)
//goemu:call floats(0, 0)
//goemu:call floats(1e308, 1e308)
//goemu:call floats(5e-324, 2)
//go:noinline
func floats(a, b float64) (float64, float64, float64, float64, float64) {
	return a + b, a - b, a * b, a / b, -a
}

//goemu:call floats32(1.5, 3)
//goemu:call floats32(16777216, 1)
//goemu:call floats32(3.4e38, 10)
//go:noinline
func floats32(a, b float32) (float32, float32, float32, float32) { return a + b, a - b, a * b, a / b }

// compareFloats takes a numerator over zero, so that infinities and NaN come in.
//
//goemu:call compareFloats(1, 2, 1)
//goemu:call compareFloats(1, 1, 0)
//goemu:call compareFloats(0, 1, 0)
//goemu:call compareFloats(-1, 1, 0)
//go:noinline
func compareFloats(a, b, d float64) (float64, bool, bool, bool, bool, bool) {
	a /= d
	return a, a < b, a <= b, a > b, a == b, a != a
}

//goemu:call convertFloat(3.99)
//goemu:call convertFloat(-3.99)
//goemu:call convertFloat(1e10)
//go:noinline
func convertFloat(f float64) (int, int64, float32, int32) {
	return int(f), int64(-f), float32(f), int32(f / 1e6)
}

//goemu:call convertInt(-1)
//goemu:call convertInt(9007199254740993)
//goemu:call convertInt(-9223372036854775808)
//go:noinline
func convertInt(n int) (float64, float32, uint8, int16, uint32, float64) {
	return float64(n), float32(n), uint8(n), int16(n), uint32(n), float64(uint64(n))
}

//goemu:call convertUnsigned(1e19)
//goemu:call convertUnsigned(12345.75)
//go:noinline
func convertUnsigned(f float64) uint64 { return uint64(f) }

//goemu:call complexes((1+2i), (3-4i))
//goemu:call complexes((0+1i), (0+1i))
//go:noinline
func complexes(a, b complex128) (complex128, complex128, complex128, float64, bool) {
	return a + b, a * b, a / b, real(a) + imag(b), a == b
}

//goemu:call complex64s((1.5-2i), 4)
//go:noinline
func complex64s(a complex64, n float32) (complex64, float32) { return a * complex(n, 1), imag(a) }

//goemu:call newton(2, 20)
//goemu:call newton(1e100, 200)
//go:noinline
func newton(x float64, n int) float64 {
	r := x
	for i := 0; i < n; i++ {
		r = (r + x/r) / 2
	}
	return r
}

//goemu:call dot([]float64{1, 2.5, -3}, []float64{4, 5, 6})
//goemu:call dot([]float64{}, []float64{})
//go:noinline
func dot(a, b []float64) (s float64) {
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

//goemu:call crc32(0, []byte("hello"))
//go:noinline
func crc32(crc uint32, data []byte) uint32 {
	crc = ^crc
	for _, b := range data {
		crc ^= uint32(b)
		for i := 0; i < 8; i++ {
			crc = crc>>1 ^ 0xedb88320&-(crc&1)
		}
	}
	return ^crc
}
