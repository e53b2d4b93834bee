package main

// What may be given to a function, and come back from it: maps, interfaces, functions, variables by name, errors,
// captured variables.

type point struct{ x, y int }

type shape interface{ area() float64 }

type circle struct{ r int }

func (c circle) area() float64 { return 3 * float64(c.r*c.r) }

func (c circle) String() string { return "circle of " + itoa(c.r) }

type rect struct{ w, h float64 }

func (r *rect) area() float64 { return r.w * r.h }

type codeError struct {
	code int
	why  string
}

func (e *codeError) Error() string { return e.why + " " + itoa(e.code) }

type kind uint8

func (k kind) Error() string { return "kind " + itoa(int(k)) }

type wide struct {
	n    int
	fill [20]int64
}

type node struct {
	name string
	next *node
	tags map[string][]int
	any  interface{}
}

var (
	defaults = node{name: "default", tags: map[string][]int{"a": {1}}, any: 7}
	origin   = &point{1, 1}
	errLost  = errors.New("lost")
	limits   = map[string]int{"low": 1, "high": 9}
)

//go:noinline
func double(n int) int { return 2 * n }

// Maps of many types of keys, small ones and large ones.

//goemu:call sumMap(map[string]int{"a": 1, "bb": 20, "": 300})
//goemu:call sumMap(map[string]int{})
//goemu:call sumMap(map[string]int(nil))
//goemu:call sumMap(map[string]int{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8, "i": 9, "j": 10, "k": 11})
//go:noinline
func sumMap(m map[string]int) (sum int, found bool) {
	for k, v := range m {
		sum += v + len(k)
	}
	_, found = m["k"]
	return sum, found
}

//goemu:call lookUp(map[int64]string{1: "one", -2: "two"}, -2)
//goemu:call lookUp(map[int64]string{1: "one", -2: "two"}, 3)
//go:noinline
func lookUp(m map[int64]string, k int64) (string, bool) { v, ok := m[k]; return v, ok }

//goemu:call addAndDelete(map[string]int{"a": 1, "b": 2}, "c")
//goemu:call addAndDelete(map[string]int{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8}, "i")
//go:noinline
func addAndDelete(m map[string]int, k string) (int, int, int) {
	m[k] += 40
	delete(m, "a")
	before := len(m)
	for i := 0; i < 300; i++ {
		m[itoa(i)] = i
	}
	return before, len(m), m[k] + m["299"] + m["b"]
}

//goemu:call byPoint(map[point]string{{1, 2}: "x", {3, 4}: "y"}, point{3, 4})
//go:noinline
func byPoint(m map[point]string, p point) string { return m[p] }

//goemu:call byAny(map[interface{}]int{1: 10, "one": 20, 1.5: 30, point{1, 2}: 40, true: 50, nil: 60}, "one")
//go:noinline
func byAny(m map[interface{}]int, k interface{}) (int, int) {
	return m[k], m[1] + m[1.5] + m[point{1, 2}] + m[true] + m[nil]
}

//goemu:call byFloat(map[float64]uint8{1.5: 3, 0: 4})
//go:noinline
func byFloat(m map[float64]uint8) (int, int) { return len(m), int(m[1.5]) + int(m[0]) }

//goemu:call byArray(map[[2]string]bool{{"a", "b"}: true})
//go:noinline
func byArray(m map[[2]string]bool) (bool, bool) { return m[[2]string{"a", "b"}], m[[2]string{"a", "c"}] }

//goemu:call byWide(map[wide]wide{{n: 1}: {n: 5}, {n: 2}: {n: 6}}, 2)
//go:noinline
func byWide(m map[wide]wide, n int) int { return m[wide{n: n}].n }

//goemu:call nested(map[string]map[int][]string{"a": {1: {"x", "y"}}, "b": nil}, "a")
//go:noinline
func nested(m map[string]map[int][]string, k string) (int, string) { return len(m), m[k][1][1] }

//goemu:call invert(map[string]int{"a": 1, "b": 2})
//go:noinline
func invert(m map[string]int) map[int]string {
	out := map[int]string{}
	for k, v := range m {
		out[v] = k
	}
	return out
}

// Interfaces: the type comes with the value.

//goemu:call describe(nil)
//goemu:call describe(5)
//goemu:call describe("text")
//goemu:call describe(uint8(7))
//goemu:call describe(2.5)
//goemu:call describe(circle{2})
//goemu:call describe(&rect{2, 3})
//goemu:call describe([]int{1, 2})
//goemu:call describe(map[string]int{"a": 1})
//goemu:call describe(&codeError{5, "bad"})
//goemu:call describe(kind(3))
//goemu:call describe(errors.New("plain"))
//go:noinline
func describe(v interface{}) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case int:
		return "int " + itoa(v)
	case string:
		return "string " + v
	case uint8:
		return "uint8 " + itoa(int(v))
	case float64:
		return "float64"
	case []int:
		return "ints " + itoa(len(v))
	case map[string]int:
		return "map " + itoa(len(v)) + itoa(v["a"])
	case shape:
		return "shape " + itoa(int(v.area()))
	case error:
		return "error " + v.Error()
	}
	return "unknown"
}

//goemu:call totalArea([]shape{circle{1}, &rect{2, 2.5}, circle{2}})
//go:noinline
func totalArea(shapes []shape) (total float64, circles int) {
	for _, s := range shapes {
		total += s.area()
		if _, ok := s.(circle); ok {
			circles++
		}
	}
	return total, circles
}

//goemu:call sameShape(circle{1}, circle{1})
//goemu:call sameShape(circle{1}, circle{2})
//goemu:call sameShape(circle{1}, nil)
//go:noinline
func sameShape(a, b shape) bool { return a == b }

//goemu:call codeOf(&codeError{7, "bad"})
//goemu:call codeOf(kind(9))
//goemu:call codeOf(errors.New("else"))
//goemu:call codeOf(errLost)
//goemu:call codeOf(nil)
//go:noinline
func codeOf(err error) (int, string) {
	if err == errLost {
		return -2, err.Error()
	}
	switch err := err.(type) {
	case nil:
		return 0, ""
	case *codeError:
		return err.code, err.why
	case kind:
		return int(err), "kind"
	}
	return -1, err.Error()
}

// Variables and functions by name.

//goemu:call applyTo(double, []int{1, 2, 3})
//goemu:call applyTo(nil, []int{})
//go:noinline
func applyTo(f func(int) int, xs []int) []int {
	out := make([]int, 0, len(xs))
	for _, x := range xs {
		out = append(out, f(x))
	}
	return out
}

//goemu:call depth(&node{name: "a", next: &node{name: "b"}})
//goemu:call depth(nil)
//go:noinline
func depth(n *node) (deep int, names string) {
	for ; n != nil; n = n.next {
		deep++
		names += n.name
	}
	return deep, names
}

//goemu:call takeNode(node{name: "x", tags: map[string][]int{"a": {1, 2}}, any: point{1, 2}})
//go:noinline
func takeNode(n node) (string, int, bool) {
	p, ok := n.any.(point)
	return n.name, n.tags["a"][1] + p.x, ok
}

// Everything at once, and what does not fit in registers.

//goemu:call mixed([]byte("ab"), -1, []string{"x", ""}, [2]point{{1, 2}, {3, 4}}, 1.5, 'x', complex(1, -2), true)
//go:noinline
func mixed(b []byte, n int8, s []string, ps [2]point, f float32, r rune, c complex128, ok bool) (string, int, float64, complex128) {
	return string(b) + s[0] + string(r), int(n) + ps[1].y + boolInt(ok), float64(f) / 2, c * c
}

//go:noinline
func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// What is changed through its argument.

//go:noinline
func scale(ps []point, k int, p *point, m map[string]int) {
	for i := range ps {
		ps[i].x *= k
		ps[i].y *= k
	}
	p.x, p.y = p.y, p.x
	m["k"] = k
}

// Errors as results.

//goemu:call check(0)
//go:noinline
func check(n int) error {
	switch {
	case n == 0:
		return nil
	case n == 1:
		return errLost
	case n == 2:
		return kind(4)
	}
	return &codeError{n, "code"}
}

//go:noinline
func parts(n int) (interface{}, shape, []error) {
	return circle{n}, &rect{float64(n), 1}, []error{check(n), nil, check(1)}
}

// ring: a value that contains itself.
//
//go:noinline
func ring(n int) *node {
	first := &node{name: "first", any: n}
	first.next = &node{name: "second", next: first}
	return first
}

// kinds of results that are no plain data.
//
//go:noinline
func handles(n int) (chan int, func(int) int, *int, interface{}) {
	return make(chan int, n), double, &n, double
}

// pack is for speed: bytes and a number to a text.
//
//goemu:call pack([]byte("abc"), 7)
//go:noinline
func pack(b []byte, n int) string { return string(b) + itoa(n) }

// Closures, which find what they captured in their context.

//goemu:call adder(5, "x", 37)
//go:noinline
func adder(n int, s string, x int) (int, string) {
	f := makeAdder(n, s)
	return f(x)
}

//go:noinline
func makeAdder(n int, s string) func(int) (int, string) {
	return func(x int) (int, string) { return x + n, s }
}

//go:noinline
func makeCounter() func() int {
	count := 0
	return func() int { count++; return count }
}

//go:noinline
func bind(p point) func(int) point {
	return func(k int) point { return point{p.x * k, p.y * k} }
}

//goemu:call closures(4)
//go:noinline
func closures(n int) (int, int, point) {
	c := makeCounter()
	c()
	return c(), double(n), bind(point{n, 1})(3)
}

// refuse panics, with an error or a text.
//
//goemu:call refuse(0)
//goemu:call refuse(1)
//goemu:call refuse(2)
//go:noinline
func refuse(n int) int {
	if n == 1 {
		panic("refused")
	}
	if n == 2 {
		panic(&codeError{2, "refused"})
	}
	return n
}

//go:noinline
func itoa(n int) string {
	if n < 0 {
		return "-" + itoa(-n)
	}
	if n < 10 {
		return string([]byte{byte('0' + n)})
	}
	return itoa(n/10) + itoa(n%10)
}

// keep has everything linked that is called here by name alone, and the types described.
func keep(n int) []interface{} {
	p := point{1, n}
	scale([]point{p}, n, &p, map[string]int{})
	ch, f, q, g := handles(n)
	a, s, e := parts(n)
	return []interface{}{p, &p, ch, f, q, g, a, s, e, ring(n), defaults, &defaults, origin, limits, wide{}, [2]point{}, []point{}}
}

func init() {
	if len(testCases) > 1000 {
		keep(len(testCases))
	}
}
