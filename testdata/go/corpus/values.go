package main

// Values of every type as arguments and results, in registers and on the stack.

type point struct{ x, y int }

// mixed has a field of every register class, and padding.
type mixed struct {
	a uint8
	f float32
	s string
	b bool
	n int16
}

// wide does not fit in registers.
type wide struct{ v [3]int }

type nested struct {
	p point
	q [1]point
	e struct{}
	f float64
}

//go:noinline
func itoa(n int) string {
	if n == 0 {
		return "0"
	}
	var buf [20]byte
	i := len(buf)
	u := uint(n)
	if n < 0 {
		u = -u
	}
	for ; u > 0; u /= 10 {
		i--
		buf[i] = byte('0' + u%10)
	}
	if n < 0 {
		i--
		buf[i] = '-'
	}
	return string(buf[i:])
}

//go:noinline
func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

//goemu:call add(1, 2)
//goemu:call add(9223372036854775807, 1)
//goemu:call add(-9223372036854775808, -1)
//go:noinline
func add(a, b int) int { return a + b }

//goemu:call swap("a", "")
//goemu:call swap("日本", "\x00\xff")
//go:noinline
func swap(a, b string) (string, string) { return b, a }

//goemu:call widths(-1, -2, -3, -4, 255, 65535, 4294967295, 18446744073709551615)
//goemu:call widths(127, 32767, 2147483647, 9223372036854775807, 0, 1, 2, 3)
//go:noinline
func widths(a int8, b int16, c int32, d int64, e uint8, f uint16, g uint32, h uint64) (
	int8, int16, int32, int64, uint8, uint16, uint32, uint64) {
	return a + 1, b - 1, c * 2, d ^ 5, e + 1, f + 1, g + 1, h + 1
}

// argMany has more integers than the nine registers hold.
//
//goemu:call argMany(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
//go:noinline
func argMany(a, b, c, d, e, f, g, h, i, j, k, l int) int {
	return a + 2*b + 3*c + 4*d + 5*e + 6*f + 7*g + 8*h + 9*i + 100*j + 10*k + l
}

// argFloats has more floats than the fifteen registers hold.
//
//goemu:call argFloats(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17)
//go:noinline
func argFloats(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q float64) float64 {
	return a - b + c - d + e - f + g - h + i - j + k - l + m - n + o*p - q
}

//goemu:call argMixed(1, 2.5, "three", true, []int{4, 5}, 6, 7.5)
//go:noinline
func argMixed(a int, b float64, c string, d bool, e []int, f uint8, g float32) (int, float64) {
	return a + len(c) + boolInt(d) + e[len(e)-1] + int(f), b + float64(g)
}

//goemu:call resultMany(3)
//go:noinline
func resultMany(n int) (a, b, c, d, e, f, g, h, i, j, k int, s string) {
	return n, n * 2, n * 3, n * 4, n * 5, n * 6, n * 7, n * 8, n * 9, n * 10, n * 11, "end"
}

//goemu:call resultKinds(-3)
//go:noinline
func resultKinds(n int) (bool, uint8, string, []int, float32, point, rune) {
	return n < 0, uint8(n), itoa(n), []int{n, n * n}, float32(n) / 2, point{n, 1}, rune(n)
}

//goemu:call movePoint(point{1, 2}, 10)
//go:noinline
func movePoint(p point, d int) point { return point{p.x + d, p.y - d} }

//goemu:call makeMixed(200, 1.5, "s")
//go:noinline
func makeMixed(a uint8, f float32, s string) mixed {
	return mixed{a, f * 2, s + s, a > 100, int16(a) * -3}
}

//goemu:call useMixed(mixed{1, 2.5, "abc", true, -4})
//go:noinline
func useMixed(m mixed) (int, float32) { return int(m.a) + len(m.s) + boolInt(m.b) + int(m.n), m.f }

//goemu:call rotateWide(wide{[3]int{1, 2, 3}}, 5)
//go:noinline
func rotateWide(w wide, n int) (wide, int) {
	return wide{[3]int{w.v[1], w.v[2], w.v[0]}}, w.v[0]*n + w.v[2]
}

//goemu:call nest(4)
//go:noinline
func nest(n int) nested { return nested{point{n, 2}, [1]point{{3, n}}, struct{}{}, float64(n) / 8} }

//goemu:call pointerParam(7)
//go:noinline
func pointerParam(n int) int {
	p := point{n, n}
	double(&p)
	return p.x - p.y
}

//go:noinline
func double(p *point) { p.x *= 2 }

//goemu:call newPoint(3, 4)
//go:noinline
func newPoint(x, y int) *point {
	return &point{x, y}
}

//goemu:call sumPointers(6)
//go:noinline
func sumPointers(n int) (s int) {
	var list []*point
	for i := 0; i < n; i++ {
		list = append(list, newPoint(i, i*i))
	}
	for _, p := range list {
		s += p.x + p.y
	}
	return s
}

//goemu:call arrayParam([4]int{1, 2, 3, 4})
//go:noinline
func arrayParam(a [4]int) int {
	a[0] = 10
	return a[0] + a[1]*a[2] + a[3]
}

//goemu:call copyArrays(3)
//go:noinline
func copyArrays(n int) int {
	var a [100]int
	a[n] = 5
	b := a
	b[n]++
	return a[n]*10 + b[n] + boolInt(a == b)
}

//goemu:call matrix(3)
//go:noinline
func matrix(n int) (trace int) {
	var m [4][4]int
	for i := range m {
		for j := range m[i] {
			m[i][j] = i*n + j
		}
	}
	for i := range m {
		for k := range m {
			trace += m[i][k] * m[k][i]
		}
	}
	return trace
}

//goemu:call zeroValues()
//go:noinline
func zeroValues() (int, string, []int, bool, float64, point, error) {
	var (
		i int
		s string
		l []int
		b bool
		f float64
		p point
		e error
	)
	return i, s, l, b, f, p, e
}

// equal compares structs, arrays, strings and interfaces.
//
//goemu:call equal(1, "a")
//goemu:call equal(2, "b")
//go:noinline
func equal(n int, s string) (bool, bool, bool, bool) {
	m := mixed{uint8(n), 1, s, true, 2}
	var i, j interface{} = point{n, 2}, point{1, n + 1}
	return m == mixed{1, 1, "a", true, 2}, [2]string{s, "x"} == [2]string{"a", "x"}, i == j, i == interface{}(n)
}

type list struct {
	value int
	next  *list
}

//goemu:call linkedList(10)
//go:noinline
func linkedList(n int) (s int) {
	var head *list
	for i := 0; i < n; i++ {
		head = &list{i, head}
	}
	for at := head; at != nil; at = at.next {
		s = s*2 + at.value
	}
	return s
}

type tree struct {
	left, right *tree
	key         int
}

func (t *tree) insert(key int) *tree {
	if t == nil {
		return &tree{key: key}
	}
	if key < t.key {
		t.left = t.left.insert(key)
	} else {
		t.right = t.right.insert(key)
	}
	return t
}

func (t *tree) walk(visit func(int)) {
	if t != nil {
		t.left.walk(visit)
		visit(t.key)
		t.right.walk(visit)
	}
}

//goemu:call treeSort([]int{5, 2, 9, 2, -4})
//goemu:call treeSort([]int(nil))
//go:noinline
func treeSort(keys []int) (sorted []int) {
	var t *tree
	for _, k := range keys {
		t = t.insert(k)
	}
	t.walk(func(k int) { sorted = append(sorted, k) })
	return sorted
}
