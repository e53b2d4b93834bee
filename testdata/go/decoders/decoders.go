package main

// Strings that are not in the file, made in the ways in which obfuscators and authors of malware make them. Tests look for
// the texts in the comments; keep none of them in the code.

import (
	"encoding/base64"
	"os"
	"strconv"
)

func init() {
	// The linker keeps what is mentioned.
	sink = []interface{}{byXor, bySwaps, bySwitch, bySeed, byKeys, byProxy, byCipher, byTable, byMany, byCompare, byWays, byGoroutine, byPointer, byCopy, byLoops, byArguments, plain}
	config = settings{host: unxor("\x39\x69\x74\x32\x33\x3e\x3e\x3f\x34\x74\x3f\x22\x3b\x37\x2a\x36\x3f"), port: 8443}
	names["first"] = unxor("\x2c\x3b\x36\x2f\x3f\x7a\x33\x34\x7a\x3b\x7a\x37\x3b\x2a")
}

var sink interface{}

type settings struct {
	host string // "c3.hidden.example"
	port int
}

var config settings
var names = map[string]string{} // "value in a map"

// Numbers that no code names: an obfuscator keeps parts of its keys in variables.
var keys = struct {
	small uint8
	wide  uint64
}{0x21, 0x0123456789abcdef}

type converters struct{ text func([]byte) string }

var proxies = &converters{text: func(data []byte) string { return string(data[2:]) }}

//go:noinline
func unxor(text string) string {
	data := []byte(text)
	for i := range data {
		data[i] ^= 0x5a
	}
	return string(data)
}

// "text behind an exclusive or"
//
//go:noinline
func byXor() string {
	key := []byte{0x17, 0x2a, 0x3d}
	data := []byte("\x63\x4f\x45\x63\x0a\x5f\x72\x42\x54\x79\x4e\x1d\x76\x44\x1d\x72\x52\x5e\x7b\x5f\x4e\x7e\x5c\x58\x37\x45\x4f")
	for i := range data {
		data[i] ^= key[i%len(key)]
	}
	return string(data)
}

// "swapped letters"
//
//go:noinline
func bySwaps() string {
	data := []byte("lwapped setters")
	positions := [...]byte{0, 8}
	for i := 0; i < len(positions); i += 2 {
		data[positions[i]], data[positions[i+1]] = data[positions[i+1]], data[positions[i]]
	}
	return string(data)
}

// "split over a switch"
//
//go:noinline
func bySwitch() string {
	data := make([]byte, 0, 20)
	key := 7
	for i, count := 3, 0; i != 9; count++ {
		key ^= i * count
		switch i {
		case 3:
			i = 5
			data = append(data, "split "...)
		case 5:
			i = 1
			data = append(data, []byte("over")...)
		case 1:
			i = 8
			data = append(data, ' ', 'a', ' ')
		case 8:
			i = 9
			data = append(data, "switch"...)
			for at := range data {
				data[at] ^= byte(key) ^ byte(key)
			}
		}
	}
	return string(data)
}

// "grown from a seed"
//
//go:noinline
func bySeed() string {
	seed := byte(0x33)
	var data []byte
	type step func(byte) step
	var next step
	next = func(x byte) step { data = append(data, x+seed); seed += x; return next }
	next(0x34)(0x0b)(0xfd)(0x08)(0xf7)(0xb2)(0x46)(0x0c)(0xfd)(0xfe)(0xb3)(0x41)(0xbf)(0x53)(0xf2)(0x00)(0xff)
	return string(data)
}

// "with keys from elsewhere"
//
//go:noinline
func byKeys(n int) string {
	if n > 3 {
		return "enough"
	}
	return func(a uint8, b uint16, c uint64) string {
		data := []byte("\x8b\x95\x88\x94\xdc\x97\x99\x85\x8f\xdc\x9a\x8e\x93\x91\xdc\x99\x90\x8f\x99\x8b\x94\x99\x8e\x99")
		for i := range data {
			data[i] ^= a + byte(b>>8) + byte(c>>56)
		}
		return string(data)
	}(0xca+keys.small, 0x1000, keys.wide)
}

// "through a proxy"
//
//go:noinline
func byProxy(a, b []byte) string {
	if string(a) == string(b) {
		data := []byte("##\x47\x5b\x41\x5c\x46\x54\x5b\x13\x52\x13\x43\x41\x5c\x4b\x4a")
		for i := 2; i < len(data); i++ {
			data[i] ^= 0x33
		}
		return proxies.text(data)
	}
	return ""
}

// "a cipher of 256 states"
//
//go:noinline
func byCipher() string {
	return stream("key", "\x6a\x4c\x57\x84\x54\xe7\x1e\x38\x68\x24\x6e\x5b\x24\x68\x24\xdd\xfc\x00\x8c\x12\xce\x92")
}

//go:noinline
func stream(key, text string) string {
	var s [256]byte
	for i := range s {
		s[i] = byte(i)
	}
	j := 0
	for i := range s {
		j = (j + int(s[i]) + int(key[i%len(key)])) & 255
		s[i], s[j] = s[j], s[i]
	}
	out := make([]byte, len(text))
	i, j := 0, 0
	for n := range out {
		i = (i + 1) & 255
		j = (j + int(s[i])) & 255
		s[i], s[j] = s[j], s[i]
		out[n] = text[n] ^ s[(int(s[i])+int(s[j]))&255]
	}
	return string(out)
}

// "out of a table"
//
//go:noinline
func byTable() string {
	data, err := base64.StdEncoding.DecodeString("b3V0IG9mIGEgdGFibGU=")
	if err != nil {
		return ""
	}
	return string(data)
}

// "one of many" and "another of many"
//
//go:noinline
func byMany(second bool) string {
	if second {
		return shifted("bopuifs!pg!nboz", 1)
	}
	return shifted("qpg\"qh\"ocp{", 2)
}

//go:noinline
func shifted(text string, by byte) string {
	data := make([]byte, len(text))
	for i := range data {
		data[i] = text[i] - by
	}
	return string(data)
}

// "compared and forgotten"
//
//go:noinline
func byCompare(word string) bool {
	return word == unxor("\x39\x35\x37\x2a\x3b\x28\x3f\x3e\x7a\x3b\x34\x3e\x7a\x3c\x35\x28\x3d\x35\x2e\x2e\x3f\x34")
}

//go:noinline
func plain(n int) string {
	switch n {
	case 1:
		return "a constant of a branch"
	case 2:
		println("a constant for another function")
	}
	return "the last constant"
}

// Keys behind two pointers.
var deep = &struct{ next *struct{ key uint64 } }{&struct{ key uint64 }{0x1122334455667700 + 93}}

// "swapped behind a loop of unknown length" and "swapped behind a branch that is not taken"
//
//go:noinline
func byWays(words []string, n int, counts map[string]int) string {
	out := ""
	for i := 0; i < len(words); i++ {
		if n += counts[words[i]]; n > 7 {
			key := byte(deep.next.key)
			data := []byte("\x04\x68\xe8\x0c\x0c\x12\x1d\x20\x62\x8e\x72\x8e\x7a\x64\xdc\xca\x20\xfc\xfe\x97\xeb\x20\x6f\x66\x20\x6d\xac\x6b\x30\x77\x83\xff\xa0\x7b\xd4\x1c\x67\xb2\xdb")
			positions := [...]byte{28, 35, 29, 28, 32, 37, 12, 11, 32, 30, 11, 6, 28, 19, 9, 5, 34, 2, 38, 25, 28, 10, 0, 33, 4, 3, 2, 12, 15, 38, 1, 29, 20, 28, 37, 12, 33, 14, 18, 31, 0, 5, 29, 17, 26, 35}
			for i := 0; i < len(positions); i += 2 {
				a, b := positions[i], positions[i+1]
				local := byte(i) + (a ^ b) + key
				data[a], data[b] = data[b]^local, data[a]^local
			}
			out += string(data)
		} else if words[i] > out {
			counts[out] = n
			data := []byte("\xcd\x6f\x61\x19\xf9\x52\x62\xfd\xe9\x65\x68\xbb\xf5\x8b\x17\xea\x82\x02\xfd\xf4\x59\x1f\x68\x20\x01\x7c\x1e\x74\x20\xd3\x03\xf2\xe4\x6f\x74\xd6\xcb\x61\x6b\x65\x03")
			positions := [...]byte{5, 16, 20, 14, 32, 18, 1, 4, 36, 6, 25, 6, 18, 24, 4, 1, 0, 13, 13, 3, 30, 24, 25, 26, 4, 36, 40, 12, 17, 21, 5, 19, 21, 0, 26, 7, 8, 15, 6, 0, 3, 29, 31, 11, 35, 12}
			for i := 0; i < len(positions); i += 2 {
				a, b := positions[i], positions[i+1]
				local := byte(i) + (a ^ b) + byte(deep.next.key)
				data[a], data[b] = data[b]^local, data[a]^local
			}
			out = string(data) + words[0]
		}
	}
	return out
}

// "handed on by a goroutine"
//
//go:noinline
func byGoroutine(to chan string) {
	go func() {
		data := []byte("\x35\x05\x05\x16\x1c\xe4\xa7\xe1\xfb\xbc\xc1\xd3\x91\xd9\x9f\xa1\xa2\xa6\xb4\x97\x9d\x99\x99\x9b")
		for i := range data {
			data[i] ^= byte(i*7) + byte(deep.next.key)
		}
		to <- string(data)
	}()
}

// "behind a pointer to a slice"
//
//go:noinline
func byPointer(n int) string {
	text := func() *[]byte {
		data := []byte("\x06\x3c\x91\x14\x01\x16\x04\x05\xca\x70\x6f\xff\x06\xc2\x33\xaf\x78\x90\x05\xc0\xd9\x20\xbb\x5d\xa4\x25\x6a")
		positions := [...]byte{19, 8, 23, 11, 25, 22, 26, 23, 20, 16, 0, 26, 14, 24, 7, 20, 1, 5, 3, 11, 15, 7, 12, 17, 3, 18, 7, 0, 23, 6, 13, 8, 5, 24, 12, 5, 24, 25, 2, 4, 14, 4}
		for i := 0; i < len(positions); i += 2 {
			a, b := positions[i], positions[i+1]
			local := byte(i) + (a ^ b) + 59
			data[a], data[b] = data[b]+local, data[a]+local
		}
		return &data
	}()
	(*text)[0] ^= byte(n)
	return string(*text)
}

// A long text: "a long text that is copied as ..."
//
//go:noinline
func byCopy(n int) string {
	data := []byte("\x56\xf0\x17\xf5\xcf\xa3\x37\x66\x32\x20\xf7\x7e\xad\x7c\x50\x3e\xc5\xe9\xce\x56\x74\x5b\x37\x0b\xe2\xbc\x53\x6f\x5c\xe4\x00\x9a\xcc\x98\x7a\x52\x26\xbc\xd9\xb7\x93\x77\x55\x23\xb9\xdd\xc3\x4a\x6e\x53\xdb\xfa\xd6\xaf\x96\x66\x42\x1c\xbf\x8e\xaa\x44\x6b\x49\x23\xf7\x8b\xba\x86\x74\x4b\xd2\x01\xd0\xa4\x92\x19\x3d\x22\xaa\xc8\xaf\x8b\x5f\x36\x10\xa7\xc3\xb0\x38\x54\xee\x20\xec\xce\xa6\x7a\x10\x2d\x0b\xe7\xcb\xa9\x77\x0d\x31\x17\x9e\xc2\xa7\x2f\x4e\x2a\x03\xea\xba\x96\x70\x13\xe2\xfe\x98\xbf\x9d\x77\x4b\xdf\x0e\xda\xc8\x9f\x26\x55\x24\xf8\xe6\x6d\x91\x76\xfe\x1c\x03\xdf\xb3\x8a\x64\xfb\x17\x04\x8c\xa8\x42\x74\x40\x22\xfa\xce\x64\x81\x5f\x3b\x1f\xfd\xcb\x61\x85\x6b\xf2\x16\xfb\x83\xa2\x7e\x57\x3e\x0e\xea\xc4\x67\x36\x52\xec\x13\xf1\xcb\x9f\x33\x62\x2e\x1c\xf3\x7a\xa9\x78\x4c\x3a\xc1\xe5\xca\x52\x70\x57\x33\x07\xde\xb8\x4f\x6b\x58\xe0\xfc\x96\xc8\x94\x76\x4e\x22\xb8\xd5\xb3\x8f\x73\x51\x1f\xb5\xd9\xbf\x46\x6a\x4f\xd7\xf6\xd2\xab\x92\x62\x3e\x18\xbb\x8a\xa6\x40\x67\x45\x1f\xf3\x87\xb6\x82\x70\x47\xce\xfd\xcc\xa0\x8e\x15\x39\x1e\xa6\xc4\xab\x87\x5b\x32\x0c\xa3\xbf\xac\x34\x50\xea\x1c\xe8\xca\xa2\x76\x0c\x29\x07\xe3\xc7\xa5\x73\x09\x2d\x13\x9a\xbe\xa3\x2b\x4a\x26\xff\xe6\xb6\x92\x6c\x0f\xde\xfa\x94\xbb\x99\x73\x47\xdb\x0a\xd6\xc4\x9b\x22\x51\x20\xf4\xe2\x69\x8d\x72\xfa\x18\xff\xdb\xaf\x86\x60\xf7\x13\x00\x88\xa4\x3e\x70\x3c\x1e\xf6\xca\x60\x7d\x5b\x37\x1b\xf9\xc7\x5d\x81\x67\xee\x12\xf7\x7f\x9e\x7a\x53\x3a\x0a\xe6\xc0\x63\x32\x64\x31\x17\xe6\x79\x96\x88\x5e\x2a\x13\x9b\xc5\x97\x2c\x48\x30\x16\x98\xc9\x8f\x75\x59\x24\xba\xd6\xbd\x9a\x74\x48\xdc\x00\xe6")
	for i := range data {
		data[i] += keyOf[i]
	}
	return string(data) + strconv.Itoa(n)
}

var keyOf = func() (keys [392]byte) {
	for i := range keys {
		keys[i] = byte(i*37 + 11)
	}
	return
}()

// "after a long loop" and "after a second long loop"
//
//go:noinline
func byLoops(words []string) string {
	first, second := []byte("\xd8\xdf\xcd\xdc\xcb\x99\xd8\x99\xd5\xd6\xd7\xde\x99\xd5\xd6\xd6\xc9"), []byte("\xdb\xdc\xce\xdf\xc8\x9a\xdb\x9a\xc9\xdf\xd9\xd5\xd4\xde\x9a\xd6\xd5\xd4\xdd\x9a\xd6\xd5\xd5\xca")
	key := uint32(1)
	for i := uint32(0); i < 6000; i++ {
		key = key*31 + i&255
	}
	for i := range first {
		first[i] ^= byte(key)
	}
	key = 2
	for i := uint32(0); i < 6000; i++ {
		key = key*31 + i&255
	}
	for i := range second {
		second[i] ^= byte(key)
	}
	return words[0] + string(first) + string(second)
}

// What is made of the program's name is none of its texts.
//
//go:noinline
func byArguments(n int) string {
	return named(os.Args[0], len(os.Args))
}

//go:noinline
func named(name string, n int) string {
	data := []byte("made of its arguments")
	for i := range data {
		data[i] ^= byte(n)
	}
	return name + string(data)
}

func showOwn(interface{}) string { return "" }
