// Package main holds functions that use goroutines and channels. No imports: the object is whole.
package main

func worker(n int, c chan int) { c <- n * 2 }

func double(n int) int {
	c := make(chan int)
	go worker(n, c)
	return <-c
}

func buffered(n int) (int, int, int) {
	c := make(chan int, n)
	for i := 0; i < n; i++ {
		c <- i
	}
	close(c)
	length, sum := len(c), 0
	for v := range c {
		sum += v
	}
	return length, cap(c), sum
}

func squares(n int) int {
	numbers, results := make(chan int), make(chan int)
	go func() {
		defer close(numbers)
		for i := 1; i <= n; i++ {
			numbers <- i
		}
	}()
	go func() {
		defer close(results)
		for v := range numbers {
			results <- v * v
		}
	}()
	sum := 0
	for v := range results {
		sum += v
	}
	return sum
}

func trySend(n int) (bool, int) {
	c := make(chan int, 2)
	sent := true
	for i := 0; i < n; i++ {
		select {
		case c <- i:
		default:
			sent = false
		}
	}
	return sent, len(c)
}

func tryReceive(c chan int) (int, bool) {
	select {
	case v, ok := <-c:
		return v, ok
	default:
		return -1, false
	}
}

type request struct {
	text string
	back chan string
}

func server(n int) string {
	in, quit, served := make(chan request), make(chan struct{}), make(chan int)
	go func() {
		for k := 0; ; k++ {
			select {
			case r := <-in:
				r.back <- r.text + "!"
			case <-quit:
				served <- k
				return
			}
		}
	}()
	out := ""
	for i := 0; i < n; i++ {
		r := request{string(rune('a' + i)), make(chan string)}
		in <- r
		out += <-r.back
	}
	close(quit)
	return out + string(rune('0'+<-served))
}

func either(n int) (string, int) {
	a, b := make(chan int, 1), make(chan string, 1)
	if n > 0 {
		a <- n
	} else {
		b <- "no"
	}
	select {
	case v := <-a:
		return "a", v
	case s := <-b:
		return s, 0
	}
}

func bothFull(n int) (int, int) {
	x, y := make(chan int, n), make(chan int, n)
	for i := 0; i < n; i++ {
		select {
		case x <- i:
		case y <- i:
		}
	}
	return len(x) + len(y), cap(x)
}

func closeWakes(n int) int {
	c, woken := make(chan int), make(chan int)
	for i := 0; i < n; i++ {
		go func() {
			if _, ok := <-c; !ok {
				woken <- 1
			}
		}()
	}
	go func() { close(c) }()
	sum := 0
	for i := 0; i < n; i++ {
		sum += <-woken
	}
	return sum
}

func text(failure interface{}) string {
	if err, ok := failure.(error); ok {
		return err.Error()
	}
	return failure.(string)
}

// Two goroutines panic, and the first one's deferred call waits for the second one's.
func twoPanics() string {
	a, b, start := make(chan string), make(chan string), make(chan bool)
	go func() {
		defer func() { a <- text(recover()) }()
		defer func() { <-start }()
		panic("first")
	}()
	go func() {
		defer func() { b <- text(recover()) }()
		defer func() { start <- true }()
		panic("second")
	}()
	return <-b + " " + <-a
}

func waitingSenderPanics() string {
	c, failure, ready := make(chan int), make(chan string), make(chan bool)
	go func() {
		defer func() { failure <- text(recover()) }()
		ready <- true
		c <- 1
	}()
	<-ready
	for i := 0; i < 3; i++ {
		go func() { ready <- true }()
		<-ready
	}
	close(c)
	return <-failure
}

func fails(what int) (s string) {
	defer func() { s = text(recover()) }()
	var c chan int
	switch what {
	case 0:
		close(c)
	case 1:
		c = make(chan int, 1)
		close(c)
		c <- 1
	case 2:
		c = make(chan int)
		close(c)
		close(c)
	default:
		c = make(chan int, -what)
	}
	return "nothing"
}

func large(n int) int {
	c := make(chan [100]int, 2)
	go func() {
		for i := 0; i < 5; i++ {
			var a [100]int
			a[n] = i
			c <- a
		}
		close(c)
	}()
	sum := 0
	for a := range c {
		sum += a[n]
	}
	return sum
}

// Nobody waits here: the loop ends when its turn does, and the other goroutine has run.
func turns() bool {
	done := make([]bool, 1)
	go func() { done[0] = true }()
	for n := 0; !done[0]; n++ {
		unused(n)
	}
	return done[0]
}

//go:noinline
func unused(int) {}

func caught(n int) (err error) {
	defer func() { err = recover().(error) }()
	println(1 / n)
	return nil
}

func stuck() int {
	c := make(chan int)
	go func() { select {} }()
	return <-c
}

func main() {
	println(double(21))
	println(buffered(4))
	println(squares(10))
	println(trySend(2))
	println(trySend(3))
	println(tryReceive(nil))
	c := make(chan int, 1)
	println(tryReceive(c))
	c <- 5
	println(tryReceive(c))
	close(c)
	println(tryReceive(c))
	println(server(5))
	println(either(3))
	println(either(0))
	println(bothFull(20))
	println(closeWakes(6))
	println(twoPanics())
	println(waitingSenderPanics())
	for i := 0; i < 4; i++ {
		println(fails(i))
	}
	println(large(3))
	println(turns())
}
