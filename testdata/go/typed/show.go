package main

import std "errors"

// errors stands for the package, which the generated cases do not import.
var errors = struct{ New func(string) error }{std.New}

// showOwn shows values of this program's types.
func showOwn(v interface{}) string {
	switch v := v.(type) {
	case point:
		return "main.point{x:" + itoa(v.x) + ", y:" + itoa(v.y) + "}"
	case map[int]string:
		return "map[int]string{1:" + show(v[1]) + ", 2:" + show(v[2]) + "}"
	}
	return ""
}
