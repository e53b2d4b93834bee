package main

// What programs ask of Go's standard library, where releases once answered wrongly: docs/found.md. Each function is as somebody
// would write it, so that `goemu diff` of builds by two releases, or `goemu check`, has to find what was wrong.

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/asn1"
	"encoding/gob"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"go/parser"
	"go/token"
	"html/template"
	"image/gif"
	"image/png"
	"io"
	"io/ioutil"
	"math/big"
	"mime/multipart"
	"net"
	"net/http"
	"net/mail"
	"net/textproto"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:noinline
func pathMatch(pattern, name string) (bool, error) { return path.Match(pattern, name) }

//go:noinline
func filepathMatch(pattern, name string) (bool, error) { return filepath.Match(pattern, name) }

//go:noinline
func filepathRel(base, target string) (string, error) { return filepath.Rel(base, target) }

//go:noinline
func ratFromGob(b []byte) error { return new(big.Rat).GobDecode(b) }

//go:noinline
func floatFromGob(b []byte) error { return new(big.Float).GobDecode(b) }

// power is x^y modulo m.
//
//go:noinline
func power(x, y, m int16) string {
	if m == 0 {
		m = 1
	}
	z := new(big.Int).Exp(big.NewInt(int64(x)), big.NewInt(int64(y)), big.NewInt(int64(m)))
	if z == nil {
		return "nil"
	}
	return z.String()
}

//go:noinline
func root(x, p uint8) string {
	z := new(big.Int).ModSqrt(big.NewInt(int64(x)), big.NewInt(int64(p)))
	if z == nil {
		return "nil"
	}
	return z.String()
}

//go:noinline
func httpVersion(s string) (int, int, bool) { return http.ParseHTTPVersion(s) }

//go:noinline
func cookies(line string) []string {
	var names []string
	r := http.Request{Header: http.Header{"Cookie": {line}}}
	for _, c := range r.Cookies() {
		names = append(names, c.Name+"="+c.Value)
	}
	return names
}

//go:noinline
func urlHost(s string) (string, error) {
	if s == "" {
		s = "http://[::1]:80/"
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", err
	}
	return u.Host, nil
}

//go:noinline
func query(s string) (string, error) {
	v, err := url.ParseQuery(s)
	return v.Encode(), err
}

//go:noinline
func float64From(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

//go:noinline
func float32From(s string) (float64, error) { return strconv.ParseFloat(s, 32) }

//go:noinline
func quotedASCII(s string) string { return strconv.QuoteToASCII(s) }

// address is of four numbers, which some programs pad with zeros.
//
//go:noinline
func address(a, b, c, d, width uint8) string {
	width %= 4
	return net.ParseIP(fmt.Sprintf("%0*d.%0*d.%0*d.%0*d", width, a, width, b, width, c, width, d)).String()
}

//go:noinline
func network(a, b uint8, width uint8) string {
	ip, _, err := net.ParseCIDR(fmt.Sprintf("%0*d.%d.0.0/16", width%4, a, b))
	if err != nil {
		return ""
	}
	return ip.String()
}

// element is some XML.
type element struct {
	Name  xml.Name
	Attr  []xml.Attr `xml:",any,attr"`
	Inner []element  `xml:",any"`
}

// nestedXML reads what other programs nest.
//
//go:noinline
func nestedXML(depth uint16, closed bool) error {
	text := strings.Repeat("<a>", int(depth))
	if closed {
		text += strings.Repeat("</a>", int(depth))
	}
	var e element
	return xml.Unmarshal([]byte(text), &e)
}

// skippedXML leaves an element out.
//
//go:noinline
func skippedXML(depth uint16) error {
	d := xml.NewDecoder(strings.NewReader(strings.Repeat("<a>", int(depth)) + strings.Repeat("</a>", int(depth))))
	if _, err := d.Token(); err != nil {
		return err
	}
	return d.Skip()
}

// pemBlock reads a file of so many lines that look like a beginning.
//
//go:noinline
func pemBlock(line string, lines uint16) string {
	b, _ := pem.Decode([]byte(strings.Repeat("-----BEGIN "+line+"\n", int(lines))))
	if b == nil {
		return ""
	}
	return b.Type
}

//go:noinline
func nestedPattern(open string, depth uint16) bool {
	_, err := regexp.Compile(strings.Repeat(open, int(depth)) + strings.Repeat(")", int(depth)))
	return err == nil
}

//go:noinline
func matches(pattern, text string) ([]string, bool) {
	r, err := regexp.Compile(pattern)
	if err != nil {
		return nil, false
	}
	return r.FindStringSubmatch(text), true
}

//go:noinline
func nestedGo(open, shut string, depth uint16) bool {
	_, err := parser.ParseExpr(strings.Repeat(open, int(depth)) + "x" + strings.Repeat(shut, int(depth)))
	return err == nil
}

// goFile reads a file that a generator wrote: it says which line of another file it comes from.
//
//go:noinline
func goFile(line uint64, code string) error {
	_, err := parser.ParseFile(token.NewFileSet(), "x.go", fmt.Sprintf("package p\n//line y.go:%d\n%s", line, code), 0)
	return err
}

type record struct {
	A int
	B []byte
}

//go:noinline
func gobRecord(b []byte) error {
	var r record
	return gob.NewDecoder(bytes.NewReader(b)).Decode(&r)
}

//go:noinline
func header(b []byte) (int, error) {
	h, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(b, "\r\n\r\n"...)))).ReadMIMEHeader()
	return len(h), err
}

//go:noinline
func attribute(s string) string { return filled("<p title={{.}} class=x>", s) }

//go:noinline
func style(s string) string { return filled("<style>p { background: {{.}} }</style>", s) }

//go:noinline
func script(s string) string { return filled("<script>var x = {{.}};</script>", s) }

func filled(text, value string) string {
	var b strings.Builder
	t, err := template.New("t").Parse(text)
	if err == nil {
		err = t.Execute(&b, value)
	}
	if err != nil {
		return "error"
	}
	return b.String()
}

//go:noinline
func sender(s string) (string, error) {
	a, err := mail.ParseAddress(s)
	if err != nil {
		return "", err
	}
	return a.Name + " at " + a.Address, nil
}

//go:noinline
func sent(s string) bool {
	_, err := mail.ParseDate(s)
	return err == nil
}

// uploaded is the name of a file that a browser sends.
//
//go:noinline
func uploaded(name string) string {
	body := "--x\r\nContent-Disposition: form-data; name=f; filename=\"" + name + "\"\r\n\r\ny\r\n--x--\r\n"
	p, err := multipart.NewReader(strings.NewReader(body), "x").NextPart()
	if err != nil {
		return ""
	}
	return p.FileName()
}

//go:noinline
func lasts(s string) (time.Duration, error) { return time.ParseDuration(s) }

//go:noinline
func halved(d, m time.Duration) time.Duration { return d.Round(m) }

//go:noinline
func when(s string) (int64, error) {
	t, err := time.Parse(time.RFC3339, s)
	return t.UnixNano(), err
}

//go:noinline
func zone(b []byte) error {
	_, err := time.LoadLocationFromTZData("zone", append([]byte("TZif"), b...))
	return err
}

//go:noinline
func padded(width int8, minus, zero bool, s string, n int) string {
	flags := ""
	if minus {
		flags += "-"
	}
	if zero {
		flags += "0"
	}
	return fmt.Sprintf(fmt.Sprintf("%%%s%ds|%%%s%dd", flags, width, flags, width), s, n)
}

// unpacked reads members that are empty one after the other, as some compressors write them.
//
//go:noinline
func unpacked(members uint32) (int, error) {
	var one bytes.Buffer
	w := gzip.NewWriter(&one)
	_ = w.Close()
	r, err := gzip.NewReader(bytes.NewReader(bytes.Repeat(one.Bytes(), int(members%300000))))
	if err != nil {
		return 0, err
	}
	b, err := ioutil.ReadAll(r)
	return len(b), err
}

//go:noinline
func archive(b []byte) (int, error) {
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return 0, err
	}
	return len(r.File), nil
}

//go:noinline
func tape(b []byte) (int, error) {
	r := tar.NewReader(bytes.NewReader(b))
	for n := 0; ; n++ {
		if _, err := r.Next(); err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
}

//go:noinline
func animation(b []byte) error {
	_, err := gif.Decode(bytes.NewReader(append([]byte("GIF89a"), b...)))
	return err
}

//go:noinline
func picture(b []byte) error {
	_, err := png.DecodeConfig(bytes.NewReader(append([]byte("\x89PNG\r\n\x1a\n"), b...)))
	return err
}

//go:noinline
func der(b []byte) (int, error) {
	var v struct {
		A int
		B string
		C time.Time
		D []int
	}
	_, err := asn1.Unmarshal(b, &v)
	return len(v.D), err
}

// keep makes the linker keep what it is given.
var keep []interface{}

func main() {
	keep = append(keep, pathMatch, filepathMatch, filepathRel, ratFromGob, floatFromGob, power, root, httpVersion,
		cookies, urlHost, query, float64From, float32From, quotedASCII, address, network, nestedXML, skippedXML, pemBlock,
		nestedPattern, matches, nestedGo, goFile, gobRecord, header, attribute, style, script, sender, sent, uploaded, lasts,
		halved, when, zone, padded, unpacked, archive, tape, animation, picture, der)
	fmt.Println(len(keep))
}
