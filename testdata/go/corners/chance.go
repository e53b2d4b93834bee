package main

// order: keys of a map in the order of a range.
//
//go:noinline
func order() (s string) {
	m := map[int]bool{}
	for i := 0; i < 26; i++ {
		m[i] = true
	}
	for k := range m {
		s += string(byte('a' + k))
	}
	return
}

// fair: how often each of two ready cases was chosen.
//
//go:noinline
func fair() (int, int) {
	a, b, n := make(chan int, 1000), make(chan int, 1000), [2]int{}
	for i := 0; i < 1000; i++ {
		a <- 0
		b <- 1
	}
	for i := 0; i < 1000; i++ {
		select {
		case v := <-a:
			n[v]++
		case v := <-b:
			n[v]++
		}
	}
	return n[0], n[1]
}

// livelock ends as soon as the first case is chosen.
//
//go:noinline
func livelock() int {
	done, work, n := make(chan int), make(chan int, 1), 0
	close(done)
	for {
		select {
		case <-done:
			return n
		case work <- 1:
			<-work
			n++
		}
	}
}
