// text/template, for goemu's benches: see guest.go.
package main

import (
	"bytes"
	"os"
	"strconv"
	"text/template"
	"time"
)

type line struct {
	Name  string
	Count int
	Parts []string
}

var page = template.Must(template.New("page").Parse(
	`{{range .}}{{if gt .Count 2}}{{.Name}}: {{.Count}} of {{len .Parts}}{{range $i, $p := .Parts}} {{$i}}={{$p | printf "%q"}}{{end}}
{{else}}{{.Name}} is few
{{end}}{{end}}`))

func render(n int) int {
	lines := []line{{"one", 1, nil}, {"three", 3, []string{"a", "b"}}, {"five", 5, []string{"x", "y", "z"}}}
	var out bytes.Buffer
	for i := 0; i < n; i++ {
		out.Reset()
		if err := page.Execute(&out, lines); err != nil {
			panic(err)
		}
	}
	return out.Len()
}

func main() {
	n, _ := strconv.Atoi(os.Args[2])
	best, start := time.Hour, time.Now()
	for time.Since(start) < time.Second/4 || best == time.Hour {
		t := time.Now()
		render(n)
		if d := time.Since(t); d < best {
			best = d
		}
	}
	println(best.Nanoseconds())
}
