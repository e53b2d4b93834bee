package main

// Searching, comparing, sorting, and numbers as text.

import (
	"bytes"
	"encoding/base64"
	"math"
	"sort"
	"strconv"
	"strings"
)

// summary is one number for many results.
type summary uint64

func (s *summary) add(n int) { *s = (*s ^ summary(uint64(n))) * 1099511628211 }

func (s summary) String() string { return strconv.FormatUint(uint64(s), 16) }

// bytesOf searches and compares slices of every length up to n and of some long ones, at every alignment.
//
//goemu:call bytesOf(70)
//go:noinline
func bytesOf(n int) string {
	var s summary
	for size := 0; size <= n; size++ {
		bytesOfSize(&s, size, size%9)
	}
	for _, size := range []int{127, 128, 129, 200, 255, 256, 257, 1000, 2048, 4096} {
		bytesOfSize(&s, size, size%33)
	}
	return s.String()
}

func bytesOfSize(s *summary, size, from int) {
	a := input(size + from)[from:]
	b := append([]byte(nil), a...)
	s.add(bytes.IndexByte(a, 0))
	s.add(bytes.Count(a, []byte{7}))
	s.add(bytes.LastIndexByte(a, 3))
	s.add(bytes.Compare(a, b))
	for _, at := range []int{0, size / 3, size - 1} {
		if at < 0 || at >= size {
			continue
		}
		s.add(bytes.IndexByte(a, a[at]))
		b[at]++
		if bytes.Equal(a, b) {
			s.add(at)
		}
		s.add(bytes.Compare(a, b))
		s.add(bytes.Compare(b, a[:at]))
		b[at]--
	}
	c := make([]byte, size+8)
	s.add(copy(c[5:], a))
	s.add(copy(c[2:], c))
	s.add(copy(c, c[1:]))
	for i := range c {
		s.add(int(c[i]))
	}
}

// indexOf looks for needles of every length up to n.
//
//goemu:call indexOf(70)
//go:noinline
func indexOf(n int) string {
	var s summary
	hay := base64.StdEncoding.EncodeToString(input(600))
	for size := 1; size <= n; size++ {
		for _, at := range []int{0, 5, 300, len(hay) - size} {
			s.add(strings.Index(hay, hay[at:at+size]))
			s.add(strings.LastIndex(hay, hay[at:at+size]))
		}
		s.add(strings.Index(hay, hay[9:9+size-1]+"!"))
		s.add(strings.Count(hay, hay[size:size+1]))
	}
	return s.String()
}

//goemu:call sorted(12)
//goemu:call sorted(500)
//go:noinline
func sorted(n int) string {
	var s summary
	words := make([]string, 0, n)
	floats := make([]float64, 0, n)
	for i, b := range input(n) {
		words = append(words, strconv.Itoa(int(b)*(i+1)))
		floats = append(floats, float64(b)/float64(i+1))
	}
	sort.Strings(words)
	sort.Float64s(floats)
	sort.SliceStable(words, func(i, j int) bool { return len(words[i]) < len(words[j]) })
	for i := range words {
		s.add(len(words[i]) + int(words[i][0])<<8)
		s.add(int(math.Float64bits(floats[i])))
	}
	return s.String()
}

//goemu:call functions(300)
//go:noinline
func functions(n int) string {
	var s summary
	for i := 0; i < n; i++ {
		x := (float64(i) - float64(n)/3) * 0.37
		for _, f := range []func(float64) float64{
			math.Sqrt, math.Floor, math.Ceil, math.Trunc, math.RoundToEven, math.Exp2, math.Log,
			math.Log1p, math.Sin, math.Cos, math.Tan, math.Atan, math.Cbrt,
		} {
			s.add(int(math.Float64bits(f(x))))
		}
		s.add(int(math.Float64bits(math.FMA(x, x, -x/3))))
		s.add(int(math.Float64bits(math.Pow(x, 2.5))))
		s.add(int(math.Float64bits(math.Hypot(x, 1/x))))
		s.add(int(math.Float64bits(math.Mod(x, 0.7))))
	}
	return s.String()
}

// exponentials, as functions, differs on processors without FMA: the library uses it where it can.
//
//goemu:call exponentials(300)
//go:noinline
func exponentials(n int) string {
	var s summary
	for i := 0; i < n; i++ {
		x := (float64(i) - float64(n)/3) * 0.37
		for _, f := range []func(float64) float64{math.Exp, math.Tanh, math.Gamma, math.Erf} {
			s.add(int(math.Float64bits(f(x))))
		}
	}
	return s.String()
}

//goemu:call floatTexts(60)
//go:noinline
func floatTexts(n int) string {
	text := ""
	x := 1.0 / 3
	for i := 0; i < n; i++ {
		x *= -17.3
		shortest := strconv.FormatFloat(x, 'g', -1, 64)
		back, err := strconv.ParseFloat(shortest, 64)
		if err != nil || back != x {
			return "lost " + shortest
		}
		if i%12 == 0 {
			text += shortest + " " + strconv.FormatFloat(x, 'e', 20, 64) + " " + strconv.FormatFloat(x, 'f', 2, 32) + " "
		}
	}
	return strings.TrimSpace(text)
}
