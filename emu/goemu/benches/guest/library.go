// Work that needs Go's runtime and its library, for goemu's benches: see guest.go.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"regexp"
	"sort"
	"strconv"
	"time"
)

func maps(n int) int {
	words := map[string]int{}
	for i := 0; i < n; i++ {
		words["word"+strconv.Itoa(i*7919%1009)] += i
	}
	keys := make([]string, 0, len(words))
	for word := range words {
		keys = append(keys, word)
	}
	sort.Strings(keys)
	return len(keys) + words[keys[0]]
}

type item struct {
	Name   string            `json:"name"`
	Price  float64           `json:"price"`
	Tags   []string          `json:"tags"`
	Extras map[string]string `json:"extras"`
}

func roundTrips(n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		in := item{"item " + strconv.Itoa(i), float64(i) / 8, []string{"a", "b", "c"}, map[string]string{"k": "v"}}
		text, _ := json.Marshal(in)
		var out item
		if json.Unmarshal(text, &out) != nil || out.Name != in.Name {
			panic("json")
		}
		sum += len(text)
	}
	return sum
}

func digest(n int) int {
	block := make([]byte, 1<<10)
	for i := 0; i < n; i++ {
		sum := sha256.Sum256(block)
		copy(block[i%512:], sum[:])
	}
	return int(block[0])
}

var pattern = regexp.MustCompile(`([a-z]+)@([a-z]+)\.(com|org)`)

func match(n int) int {
	text := []byte("nobody at nowhere; someone@example.org wrote to another@example.com, and that was all of it")
	found := 0
	for i := 0; i < n; i++ {
		found += len(pattern.FindAllSubmatchIndex(text, -1))
	}
	return found
}

func sortSlice(n int) int {
	numbers, seed := make([]int, n), uint32(1)
	for i := range numbers {
		seed = seed*1664525 + 1013904223
		numbers[i] = int(seed >> 8)
	}
	sort.Slice(numbers, func(i, j int) bool { return numbers[i] < numbers[j] })
	return numbers[n/2]
}

func pingPong(n int) int {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for v := range ping {
			pong <- v + 1
		}
		close(pong)
	}()
	sum := 0
	for i := 0; i < n; i++ {
		ping <- i
		sum += <-pong
	}
	close(ping)
	return sum
}

var functions = map[string]func(n int) int{
	"maps": maps, "roundTrips": roundTrips, "digest": digest, "match": match, "sortSlice": sortSlice,
	"pingPong": pingPong,
}

// The fastest of the calls that a quarter of a second has room for.
func main() {
	name := os.Args[1]
	n, _ := strconv.Atoi(os.Args[2])
	best, start := time.Hour, time.Now()
	for time.Since(start) < time.Second/4 || best == time.Hour {
		t := time.Now()
		functions[name](n)
		if d := time.Since(t); d < best {
			best = d
		}
	}
	println(best.Nanoseconds())
}
