package main

// showOwn writes values of the corpus's own types as Go source.
func showOwn(v interface{}) string {
	switch v := v.(type) {
	case point:
		return "main.point{x:" + itoa(v.x) + ", y:" + itoa(v.y) + "}"
	case *point:
		return "&" + show(*v)
	case mixed:
		return "main.mixed{a:" + show(v.a) + ", f:" + show(v.f) + ", s:" + show(v.s) + ", b:" + show(v.b) +
			", n:" + show(v.n) + "}"
	case wide:
		return "main.wide{v:[3]int{" + itoa(v.v[0]) + ", " + itoa(v.v[1]) + ", " + itoa(v.v[2]) + "}}"
	case nested:
		return "main.nested{p:" + show(v.p) + ", q:[1]main.point{" + show(v.q[0]) + "}, e:struct {}{}, f:" +
			show(v.f) + "}"
	case codeError:
		return "main.codeError{code:" + itoa(v.code) + "}"
	}
	return ""
}
