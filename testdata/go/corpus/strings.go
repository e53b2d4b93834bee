package main

// Strings, slices and maps.

//goemu:call concat("", "")
//goemu:call concat("ab", "héllo")
//goemu:call concat("日本語", "\x00")
//go:noinline
func concat(a, b string) string { return a + b }

//goemu:call concatMany("a", "b", 3)
//goemu:call concatMany("", "", 0)
//go:noinline
func concatMany(a, b string, n int) string { return a + "-" + b + "-" + itoa(n) + a + b }

//goemu:call runes("héllo, 世界")
//goemu:call runes("\xff\xc0a")
//goemu:call runes("")
//go:noinline
func runes(s string) (sum int, text string, count int) {
	for i, r := range s {
		sum += i * int(r)
		text = string(r) + text
	}
	return sum, text, len([]rune(s))
}

//goemu:call bytesOf("hé")
//goemu:call bytesOf("")
//go:noinline
func bytesOf(s string) []byte { return []byte(s) }

//goemu:call runesOf("aé世\xff")
//go:noinline
func runesOf(s string) []rune { return []rune(s) }

//goemu:call fromBytes([]byte{104, 105, 255})
//goemu:call fromBytes([]byte(nil))
//go:noinline
func fromBytes(b []byte) (string, bool) { return string(b), string(b) == "hi\xff" }

//goemu:call fromRune(65)
//goemu:call fromRune(0x1f600)
//goemu:call fromRune(-1)
//go:noinline
func fromRune(r rune) string { return string(r) }

//goemu:call compareStrings("abc", "abd")
//goemu:call compareStrings("abc", "abc")
//goemu:call compareStrings("", "a")
//goemu:call compareStrings("a long string, longer than any vector register is wide: 0123456789 0123456789", "a long string, longer than any vector register is wide: 0123456789 012345678!")
//go:noinline
func compareStrings(a, b string) (bool, bool, bool) { return a == b, a < b, a >= b }

//goemu:call reverse("stressed")
//goemu:call reverse("")
//go:noinline
func reverse(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

//goemu:call countWords("the cat the dog a cat the end")
//go:noinline
func countWords(s string) (int, int, int) {
	counts := map[string]int{}
	start := 0
	for i := 0; i <= len(s); i++ {
		if i == len(s) || s[i] == ' ' {
			counts[s[start:i]]++
			start = i + 1
		}
	}
	return len(counts), counts["the"], counts["absent"]
}

//goemu:call repeat("ab", 5)
//goemu:call repeat("x", 0)
//go:noinline
func repeat(s string, n int) string {
	var out []byte
	for i := 0; i < n; i++ {
		out = append(out, s...)
	}
	return string(out)
}

// growth counts from 64 on: where a small slice starts depends on where the compiler puts it.
//
//goemu:call growth(2000)
//go:noinline
func growth(n int) (length, changes int) {
	var s []int
	last := 0
	for i := 0; i < n; i++ {
		s = append(s, i)
		if cap(s) != last {
			last = cap(s)
			if last > 64 {
				changes++
			}
		}
	}
	return len(s), changes
}

// capacities shows the growth rule, which changed in Go 1.18.
//
//goemu:call capacities(5)
//goemu:call capacities(600)
//go:noinline
func capacities(n int) (int, int, int) {
	a := append(make([]int, n), 1)
	b := append(make([]byte, n), 1)
	c := append([]string(nil), make([]string, n)...)
	return cap(a), cap(b), cap(c)
}

//goemu:call slices(8)
//go:noinline
func slices(n int) (int, int, int, []int) {
	s := make([]int, n, 2*n)
	for i := range s {
		s[i] = i
	}
	t := s[2:5:6]
	u := append(t, 100)
	v := append(u, 200)
	v[0] = -1
	return len(t), cap(t), s[5] + s[2] + v[0], u
}

//goemu:call copySlice([]int{1, 2, 3, 4, 5}, 2)
//go:noinline
func copySlice(s []int, n int) (int, []int) {
	k := copy(s[n:], s)
	return k, s
}

//goemu:call sum([]int{})
//goemu:call sum([]int{1, -2, 9223372036854775807})
//go:noinline
func sum(xs []int) (s int) {
	for _, x := range xs {
		s += x
	}
	return s
}

//goemu:call variadic(3)
//go:noinline
func variadic(n int) int {
	return sumAll() + sumAll(n) + sumAll(n, n+1) + sumAll([]int{n, n, n}...)
}

//go:noinline
func sumAll(xs ...int) int { return sum(xs) + 100*len(xs) }

//goemu:call appendTo([]string{"a"}, "b", "")
//goemu:call appendTo([]string(nil), "x", "y")
//go:noinline
func appendTo(s []string, a, b string) []string { return append(s, a, b) }

//goemu:call filterEven([]int{1, 2, 3, 4, -6})
//goemu:call filterEven([]int{1})
//go:noinline
func filterEven(s []int) (even []int) {
	for _, x := range s {
		if x%2 == 0 {
			even = append(even, x)
		}
	}
	return even
}

//goemu:call mapUse(5)
//goemu:call mapUse(500)
//go:noinline
func mapUse(n int) (length, total int, found bool) {
	m := make(map[int]int)
	for i := 0; i < n; i++ {
		m[i*7] = i
	}
	delete(m, 7)
	for k, v := range m {
		total += k ^ v
	}
	_, found = m[14]
	return len(m), total, found
}

//goemu:call mapStrings(100)
//go:noinline
func mapStrings(n int) (int, string, bool) {
	m := map[string]string{"": "empty"}
	for i := 0; i < n; i++ {
		m["key"+itoa(i)] = itoa(i * i)
	}
	v, ok := m["key"+itoa(n)]
	return len(m), m["key"+itoa(n-1)] + v + m[""], ok
}

//goemu:call mapStructs(4)
//go:noinline
func mapStructs(n int) int {
	m := map[point][]int{}
	for i := 0; i < n*n; i++ {
		k := point{i % n, i % 2}
		m[k] = append(m[k], i)
	}
	return len(m)*1000 + len(m[point{1, 1}])*10 + len(m[point{9, 9}])
}

//goemu:call mapInterface(3)
//go:noinline
func mapInterface(n int) int {
	m := map[interface{}]int{n: 1, "n": 2, 2.5: 3, point{n, n}: 4, true: 5, [2]int{n, 1}: 6}
	return m[n]*100000 + m["n"]*10000 + m[2.5]*1000 + m[point{3, 3}]*100 + m[true]*10 + m[[2]int{3, 1}]
}

//goemu:call mapNil("x")
//go:noinline
func mapNil(k string) (int, int, bool) {
	var m map[string]int
	_, ok := m[k]
	delete(m, k)
	return len(m), m[k], ok
}

//goemu:call mapFloat(0)
//go:noinline
func mapFloat(z float64) int {
	m := map[float64]int{}
	nan := z / z
	m[nan]++
	m[nan]++
	m[z]++
	m[-z]++
	return len(m)
}

//goemu:call caesar("Hello, World!", 3)
//goemu:call caesar("xyz", -23)
//go:noinline
func caesar(s string, key int) string {
	out := make([]byte, len(s))
	for i := range out {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z':
			c = 'a' + byte((int(c-'a')+key%26+26)%26)
		case 'A' <= c && c <= 'Z':
			c = 'A' + byte((int(c-'A')+key%26+26)%26)
		}
		out[i] = c
	}
	return string(out)
}

// decode is what a string decoder of obfuscated programs looks like.
//
//goemu:call decode("\x1d\x0c\x07\x1b\x0c\x1d", 0x69)
//goemu:call decode("", 1)
//go:noinline
func decode(s string, key byte) string {
	b := []byte(s)
	for i := range b {
		b[i] ^= key
		key = key<<1 | key>>7
	}
	return string(b)
}

//goemu:call levenshtein("kitten", "sitting")
//goemu:call levenshtein("", "abc")
//go:noinline
func levenshtein(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			next := row[j]
			best := diagonal
			if a[i-1] != b[j-1] {
				best++
			}
			if row[j]+1 < best {
				best = row[j] + 1
			}
			if row[j-1]+1 < best {
				best = row[j-1] + 1
			}
			row[j], diagonal = best, next
		}
	}
	return row[len(b)]
}
