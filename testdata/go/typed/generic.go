//go:build go1.18
// +build go1.18

package main

// Generic functions and methods, called by the names that their source has.

type number interface{ ~int | ~float64 | ~uint8 }

type celsius float64

//go:noinline
func mapTo[T, U any](xs []T, f func(T) U) []U {
	out := make([]U, 0, len(xs))
	for _, x := range xs {
		out = append(out, f(x))
	}
	return out
}

//go:noinline
func total[T number](xs []T) (sum T) {
	for _, x := range xs {
		sum += x
	}
	return sum
}

//go:noinline
func nameOf[T any](x T) string {
	switch any(x).(type) {
	case int:
		return "int"
	case string:
		return "string"
	case celsius:
		return "celsius"
	case *point:
		return "pointer"
	}
	return "other"
}

type stack[T any] struct{ items []T }

//go:noinline
func (s *stack[T]) push(x T) int { s.items = append(s.items, x); return len(s.items) }

//go:noinline
func (s stack[T]) top() (x T, ok bool) {
	if len(s.items) == 0 {
		return x, false
	}
	return s.items[len(s.items)-1], true
}

//goemu:call generics(5)
//go:noinline
func generics(n int) (string, int, float64, string) {
	texts := mapTo([]int{n, 2}, itoa)
	numbers := mapTo(texts, func(s string) int { return len(s) })
	var ints stack[int]
	var words stack[string]
	ints.push(total(numbers))
	words.push(texts[0])
	top, _ := ints.top()
	word, _ := words.top()
	names := nameOf(n) + nameOf("") + nameOf(celsius(1)) + nameOf(&point{}) + nameOf(1.5)
	return word, top, float64(total([]celsius{1, 2.5})), names
}

// namer and counter make closures, which have the dictionary beside what they captured.
//
//go:noinline
func namer[T any](x T, label string) func(string) string {
	return func(end string) string { return label + " " + nameOf(x) + end }
}

//go:noinline
func counter[T number](step T, label string) func(T) (T, string) {
	count := 2 * step
	return func(x T) (T, string) { count++; return x + count + step, label }
}

//goemu:call genericClosures(5)
//go:noinline
func genericClosures(n int) (string, string, string, int, float64, string) {
	number, label := counter(n, "n")(2)
	degrees, _ := counter(celsius(n), "c")(2)
	return namer(n, "a")("."), namer(celsius(n), "b")("!"), namer(&point{}, "c")("?"), number, float64(degrees), label
}
