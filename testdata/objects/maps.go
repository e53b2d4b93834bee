// Package main makes, changes, ranges over and compares maps of all kinds of keys. No imports: the object is whole.
package main

type pair struct {
	name  string
	n     int32
	f     float64
	_     int16
	small [3]uint8
}

type shape interface{ Area() int }

type square struct{ side int }

func (s square) Area() int { return s.side * s.side }

type big [40]int

func counts(text string) map[string]int {
	m := make(map[string]int)
	word := ""
	for _, c := range text {
		if c == ' ' {
			m[word]++
			word = ""
		} else {
			word += string(c)
		}
	}
	m[word]++
	return m
}

func ints(n int) (int, int, int) {
	m := map[int]int{}
	for i := 0; i < n; i++ {
		m[i*7] += i
	}
	sum := 0
	for k, v := range m {
		sum += k - v
	}
	for i := 0; i < n; i += 2 {
		delete(m, i*7)
	}
	for i := 0; i < n; i += 4 {
		m[i*7] = 1
	}
	odd := 0
	for k := range m {
		odd += k
	}
	return sum, odd, len(m)
}

func local(n int) (sum int) {
	m := map[int32]string{}
	for i := 0; i < n; i++ {
		m[int32(i%5)] += "x"
	}
	for k, v := range m {
		sum += int(k) * len(v)
	}
	_, ok := m[9]
	if ok {
		return -1
	}
	return sum
}

func structs(n int) (found int) {
	m := map[pair]int{}
	for i := 0; i < n; i++ {
		m[pair{name: string(rune('a' + i%26)), n: int32(i), f: float64(i) / 2, small: [3]uint8{uint8(i)}}] = i
	}
	for i := 0; i < n+5; i++ {
		if v, ok := m[pair{name: string(rune('a' + i%26)), n: int32(i), f: float64(i) / 2, small: [3]uint8{uint8(i)}}]; ok {
			found += v
		}
	}
	return found
}

func floats() (int, int, bool) {
	m := map[float64]int{}
	zero := 0.0
	nan := zero / zero
	m[zero]++
	m[-zero]++
	m[1.5]++
	m[nan]++
	m[nan]++
	_, ok := m[nan]
	c := map[complex128]int{complex(1, 2): 3}
	c[complex(1, 2)]++
	return len(m), c[complex(1, 2)], ok
}

func interfaces() (int, int, string) {
	m := map[interface{}]int{1: 10, "one": 20, 1.0: 30, square{2}: 40, nil: 50, int8(1): 60}
	s := map[shape]string{square{3}: "nine", nil: "none"}
	return m[1] + m["one"] + m[square{2}] + m[nil], len(m), s[square{3}] + s[nil]
}

func large(n int) (int, int) {
	m := map[big]big{}
	for i := 0; i < n; i++ {
		m[big{i}] = big{3: i}
	}
	none := map[int]big{}
	return m[big{5}][3] + none[7][3], len(m)
}

func pointers(n int) int {
	m := map[*int]int{}
	var all []*int
	for i := 0; i < n; i++ {
		p := new(int)
		all = append(all, p)
		m[p] = i
	}
	sum := 0
	for _, p := range all {
		sum += m[p]
	}
	return sum
}

func nested(n int) int {
	m := map[string]map[int][]string{}
	for i := 0; i < n; i++ {
		key := string(rune('a' + i%3))
		if m[key] == nil {
			m[key] = make(map[int][]string, 20)
		}
		m[key][i%4] = append(m[key][i%4], "x")
	}
	total := 0
	for _, inner := range m {
		for _, list := range inner {
			total += len(list)
		}
	}
	return total
}

func clears(n int) (int, int) {
	m := map[string]bool{}
	for i := 0; i < n; i++ {
		m[string(rune(i+40))] = true
	}
	before := len(m)
	for k := range m {
		delete(m, k)
	}
	m["again"] = true
	return before, len(m)
}

// changing ranges over a map while it grows and shrinks: no entry twice, and all that stay.
func changing(n int) (twice int, all bool) {
	m := map[int]bool{}
	for i := 0; i < n; i++ {
		m[i] = true
	}
	seen := map[int]int{}
	for k := range m {
		seen[k]++
		delete(m, k)
		m[n+k] = true
	}
	all = true
	for i := 0; i < n; i++ {
		all = all && seen[i] == 1
	}
	for _, times := range seen {
		if times > 1 {
			twice++
		}
	}
	return twice, all
}

func failing(i int) (text string) {
	defer func() {
		if err, ok := recover().(error); ok {
			text = err.Error()
		}
	}()
	switch i {
	case 0:
		var m map[string]int
		m["x"] = 1
	case 1:
		m := map[interface{}]int{}
		m[[]int{1}] = 1
	case 2:
		var m map[interface{}]int
		var key interface{} = func() {}
		return string(rune('0' + m[key]))
	case 3:
		var a, b interface{} = map[int]int{}, map[int]int{}
		if a == b {
			return "equal"
		}
	}
	return "nothing"
}

var global = map[string]int{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8, "i": 9, "j": 10, "k": 11,
	"l": 12, "m": 13, "n": 14, "o": 15, "p": 16, "q": 17, "r": 18, "s": 19, "t": 20, "u": 21, "v": 22, "w": 23, "x": 24,
	"y": 25, "z": 26, "aa": 27, "bb": 28}

func look(key string) (int, bool) {
	v, ok := global[key]
	return v, ok
}

//go:noinline
func find(m map[pair]int, key pair) (int, bool) {
	v, ok := m[key]
	return v, ok
}

func main() {
	println(find(map[pair]int{{name: "x"}: 1}, pair{name: "x"}))
	m := counts("a b a c b a")
	println(len(m), m["a"], m["b"], m["c"], m["d"])
	println(ints(5))
	println(ints(5000))
	println(local(23))
	println(structs(100))
	println(floats())
	println(interfaces())
	println(large(30))
	println(pointers(50))
	println(nested(30))
	println(clears(60))
	println(changing(7))
	println(changing(100))
	println(failing(0))
	println(failing(1))
	println(failing(3))
	println(look("q"))
	println(look("zz"))
}
