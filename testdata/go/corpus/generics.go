//go:build go1.18
// +build go1.18

package main

// Type parameters, by way of plain functions: a generic function's symbol takes a dictionary.

type ordered interface {
	~int | ~int64 | ~float64 | ~string
}

//go:noinline
func largest[T ordered](first T, rest ...T) T {
	for _, x := range rest {
		if x > first {
			first = x
		}
	}
	return first
}

type stack[T any] struct{ items []T }

func (s *stack[T]) push(x T) { s.items = append(s.items, x) }

func (s *stack[T]) pop() (x T, ok bool) {
	if len(s.items) == 0 {
		return x, false
	}
	x = s.items[len(s.items)-1]
	s.items = s.items[:len(s.items)-1]
	return x, true
}

type pair[K comparable, V any] struct {
	key   K
	value V
}

//go:noinline
func mapTo[T, U any](xs []T, f func(T) U) []U {
	out := make([]U, 0, len(xs))
	for _, x := range xs {
		out = append(out, f(x))
	}
	return out
}

//goemu:call genericMax(3, -9)
//go:noinline
func genericMax(a, b int) (int, string, float64) {
	return largest(a, b, 4), largest("x", "abc"), largest(float64(a), float64(b)/2)
}

//goemu:call genericStack(4)
//go:noinline
func genericStack(n int) (int, string, bool) {
	var ints stack[int]
	for i := 0; i < n; i++ {
		ints.push(i * i)
	}
	top, _ := ints.pop()
	var texts stack[string]
	s, ok := texts.pop()
	return top, s, ok
}

//goemu:call genericMap([]int{1, 20, 300})
//goemu:call genericMap([]int{})
//go:noinline
func genericMap(xs []int) []string { return mapTo(xs, itoa) }

//goemu:call genericPairs(6)
//go:noinline
func genericPairs(n int) int {
	pairs := mapTo(make([]int, n), func(i int) pair[string, int] { return pair[string, int]{itoa(n), n + i} })
	seen := map[pair[string, int]]int{}
	for _, p := range pairs {
		seen[p]++
	}
	return len(seen)*100 + seen[pair[string, int]{"6", 6}]
}

//goemu:call genericAny(2)
//go:noinline
func genericAny(n int) (string, string) { return typeName(n), typeName([]stack[int]{}) }

//go:noinline
func typeName[T any](x T) string {
	switch any(x).(type) {
	case int:
		return "int"
	case []stack[T]:
		return "stacks of itself"
	}
	return "other"
}
