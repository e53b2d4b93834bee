package main

import std "errors"

// errors stands for the package, which the generated cases do not import.
var errors = struct{ New func(string) error }{std.New}

// showOwn: the results are of Go's own types.
func showOwn(v interface{}) string { return "" }
