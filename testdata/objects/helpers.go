// Package main holds functions that need what compiled code asks of Go's runtime. No imports: the object is whole.
package main

type point struct{ X, Y int }

func (p point) Sum() int { return p.X + p.Y }

type summer interface{ Sum() int }

type failure struct{ code int }

func (f *failure) Error() string { return "failure " + digits(f.code) }

func digits(n int) string {
	if n < 0 {
		return "-" + digits(-n)
	}
	if n < 10 {
		return string(rune('0' + n))
	}
	return digits(n/10) + string(rune('0'+n%10))
}

func grow(n int) (int, int) {
	var s []int
	for i := 0; i < n; i++ {
		s = append(s, i)
	}
	return len(s), cap(s)
}

func squares(n int) []int {
	s := make([]int, 0, 4)
	for i := 0; i < n; i++ {
		s = append(s, i*i)
	}
	return s
}

func join(words []string, sep string) string {
	text := ""
	for i, word := range words {
		if i > 0 {
			text += sep
		}
		text += word
	}
	return text
}

func reversed(s string) string {
	runes := []rune(s)
	for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
		runes[i], runes[j] = runes[j], runes[i]
	}
	return string(runes)
}

func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 32
		}
	}
	return string(b)
}

func index(s []int, i int) int { return s[i] }

func part(s string, from, to int) string { return s[from:to] }

func divide(a, b int) int { return a / b }

func deref(p *point) int { return p.Y }

func recovered(i int) (text string) {
	defer func() {
		if r := recover(); r != nil {
			if err, ok := r.(error); ok {
				text = err.Error()
			} else if s, ok := r.(string); ok {
				text = s
			} else {
				text = "other"
			}
		}
	}()
	var p *point
	switch i {
	case 0:
		return digits(index([]int{1, 2, 3}, 5))
	case 1:
		return part("hello", 3, 9)
	case 2:
		return digits(divide(1, i-2))
	case 3:
		return digits(deref(p))
	case 4:
		panic("a string")
	case 5:
		panic(&failure{7})
	case 6:
		panic(42)
	case 7:
		return digits(len(make([]int, i-8)))
	}
	return "nothing"
}

func nested() (order string) {
	defer func() {
		r := recover()
		order += "d" + r.(string)
	}()
	defer func() {
		order += "c"
		defer func() {
			recover()
			order += "b"
			panic("again")
		}()
		panic("inner")
	}()
	defer func() { order += "a" }()
	panic("first")
}

func loops(n int) (total int) {
	for i := 0; i < n; i++ {
		defer func(k int) { total += k }(i)
	}
	return 0
}

func describe(v interface{}) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case int:
		return "int " + digits(v)
	case string:
		return "string " + v
	case summer:
		return "summer " + digits(v.Sum())
	case error:
		return "error " + v.Error()
	}
	return "?"
}

func kinds() string {
	return describe(nil) + "," + describe(5) + "," + describe("x") + "," + describe(point{1, 2}) + "," + describe(&failure{3})
}

func equal(a, b string, c, d interface{}) (bool, bool, bool) {
	return a == b, a < b, c == d
}

func same() (bool, bool, bool) {
	return equal("abc", "abd", point{1, 2}, point{1, 2})
}

func count(s string) (n int) {
	for range s {
		n++
	}
	return n
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

func deep(n int) int {
	var pad [64]int
	pad[n%64] = n
	if n == 0 {
		return 0
	}
	return deep(n-1) + pad[n%64] - n + 1
}

func closures(n int) (sum int) {
	add := func(k int) { sum += k }
	for i := 1; i <= n; i++ {
		add(i)
	}
	return
}

func big() (sum int) {
	var a [200]int
	for i := range a {
		a[i] = i
	}
	b := a
	for _, x := range b {
		sum += x
	}
	return
}

func float(x float64) float64 { return x*x + 0.5 }

var counter = 41

func next() int {
	counter++
	return counter
}

func fails() { panic(&failure{9}) }

func main() {
	println(grow(5))
	println(grow(300))
	println(grow(1100))
	s := squares(6)
	println(len(s), s[5])
	println(join([]string{"a", "b", "c"}, "-"))
	println(reversed("h\u00e9llo\u20ac"))
	println(upper("hello"))
	for i := 0; i < 9; i++ {
		println(recovered(i))
	}
	println(nested())
	println(loops(5))
	println(kinds())
	a, b, c := same()
	println(a, b, c)
	println(count("h\u00e9llo\xff"))
	println(fib(15))
	println(deep(2000))
	println(closures(10))
	println(big())
	println(int(float(1.5) * 100))
	println(next())
}
