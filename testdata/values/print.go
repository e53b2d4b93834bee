// Prints, as rows of tab-separated fields, how Go itself prints values. The rows beside this file are its
// output: go run print.go floats > floats.tsv, and so on.
package main

import (
	"fmt"
	"math"
	"math/rand"
	"os"
	"strconv"
)

func main() {
	switch os.Args[1] {
	case "floats":
		floats()
	case "quotes":
		quotes()
	}
}

// bits of a float64, %v of it, %v of it as a float32
func floats() {
	values := []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 100000, 123456, 999999, 1e6, 1234567, 1e20, 1e21, 1e22,
		0.0001, 0.00001, 0.00012345, 123456789, 12345678.5, 1.5, math.Pi, math.MaxFloat64, math.MaxFloat32,
		math.SmallestNonzeroFloat64, math.SmallestNonzeroFloat32, math.Inf(1), math.Inf(-1), math.NaN(), 1e300,
		5e-324, 2.2250738585072014e-308, 1 << 53, 1<<53 + 2, 16777216, 3.4e38, 1e100, 0.3, 2.5e-7}
	r := rand.New(rand.NewSource(1))
	for i := 0; i < 200; i++ {
		values = append(values, math.Float64frombits(r.Uint64()), r.NormFloat64()*math.Pow(10, float64(r.Intn(24)-8)))
		values = append(values, float64(r.Intn(1<<24))/float64(int(1)<<r.Intn(12)))
	}
	for _, v := range values {
		fmt.Printf("%016x\t%v\t%v\n", math.Float64bits(v), v, float32(v))
	}
}

// bytes of a string in hexadecimal, strconv.Quote of it
func quotes() {
	values := []string{"", "hello", "a\"b\\c'd`e", "\a\b\f\n\r\t\v\x00\x1f\x7f", "héllo, 世界", "\x80\xff", "\xed\xa0\x80",
		"\u00a0\u00ad\u0301e\u0301", "\ufeff\ufffd\u2028", "\U0001f600\U0010ffff\U000e0001", "\xe4\xb8", "\xf0\x9f\x98"}
	r := rand.New(rand.NewSource(2))
	for i := 0; i < 100; i++ {
		var s []byte
		for j := r.Intn(12); j >= 0; j-- {
			switch r.Intn(4) {
			case 0:
				s = append(s, byte(r.Intn(256)))
			case 1:
				s = append(s, string(rune(r.Intn(0x3000)))...)
			case 2:
				s = append(s, string(rune(r.Intn(0x20000)))...)
			default:
				s = append(s, byte(r.Intn(128)))
			}
		}
		values = append(values, string(s))
	}
	for _, s := range values {
		fmt.Printf("%x\t%s\n", s, strconv.Quote(s))
	}
}
