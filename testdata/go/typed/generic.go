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
