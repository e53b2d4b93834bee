package main

// showOwn: the algorithms have no types of their own in their results.
func showOwn(v interface{}) string { return "" }

// input is n bytes that do not repeat soon.
func input(n int) []byte {
	b := make([]byte, n)
	x := uint32(n) + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}
