// Programs with data races and without.
package main

import (
	"os"
	"sort"
)

func main() {
	if len(os.Args) == 3 {
		programs := map[string]map[string]func(){"racy": racy, "clean": clean}[os.Args[1]]
		if program, ok := programs[os.Args[2]]; ok {
			program()
			return
		}
	}
	for kind, programs := range map[string]map[string]func(){"racy": racy, "clean": clean} {
		names := []string{}
		for name := range programs {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			println(kind, name)
		}
	}
	os.Exit(1)
}
