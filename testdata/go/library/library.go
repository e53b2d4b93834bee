package main

// The standard library at work: what functions of real programs call.

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"math/bits"
	"path"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// showOwn: the library has no types of its own in its results.
func showOwn(v interface{}) string { return "" }

func message(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

//goemu:call words("  the quick\tbrown\nfox ")
//goemu:call words("")
//go:noinline
func words(s string) []string { return strings.Fields(s) }

//goemu:call replaced("oink oink oink", "k", "ky")
//goemu:call replaced("", "", "x")
//go:noinline
func replaced(s, old, new string) (string, int) {
	return strings.Replace(s, old, new, -1), strings.Count(s, old)
}

//goemu:call find("a long haystack in which there is one needle and some more hay to search in", "needle")
//goemu:call find("short", "absent")
//goemu:call find("日本語日本語", "本")
//go:noinline
func find(s, sub string) (int, int, bool, bool) {
	return strings.Index(s, sub), strings.LastIndex(s, sub), strings.HasPrefix(s, sub), strings.Contains(s, sub)
}

//goemu:call upper("héllo, Wörld ß")
//go:noinline
func upper(s string) (string, string, string) {
	return strings.ToUpper(s), strings.ToLower(s), strings.TrimFunc(s, unicode.IsLetter)
}

//goemu:call joined(5)
//go:noinline
func joined(n int) string {
	var b strings.Builder
	for i := 0; i < n; i++ {
		b.WriteString(strings.Repeat("ab", i))
		b.WriteByte(',')
	}
	return strings.Join(strings.Split(b.String(), ","), "|")
}

//goemu:call parseInt("-9223372036854775808")
//goemu:call parseInt("12x")
//goemu:call parseInt("")
//goemu:call parseInt("99999999999999999999")
//go:noinline
func parseInt(s string) (int64, string) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, message(err)
}

//goemu:call parseFloat("1e-7")
//goemu:call parseFloat("NaN")
//goemu:call parseFloat("1.7976931348623157e308")
//goemu:call parseFloat("-inf")
//go:noinline
func parseFloat(s string) (float64, string) {
	f, err := strconv.ParseFloat(s, 64)
	return f, message(err)
}

//goemu:call format(-255, 1.5e-10)
//goemu:call format(9223372036854775807, 100)
//go:noinline
func format(n int, f float64) (string, string, string, string) {
	return strconv.Itoa(n), strconv.FormatInt(int64(n), 16), strconv.FormatFloat(f, 'e', 5, 64),
		strconv.FormatFloat(f, 'g', -1, 32)
}

//goemu:call quote("tab\t\"é\"\x00\xff")
//go:noinline
func quote(s string) (string, string, string) {
	q := strconv.QuoteToASCII(s)
	u, err := strconv.Unquote(q)
	return q, u, message(err)
}

//goemu:call sortInts([]int{9, -1, 5, 5, 0, 100, -50, 7, 3, 2, 8, 1, 6, 4})
//go:noinline
func sortInts(a []int) []int { sort.Ints(a); return a }

//goemu:call sortWords("banana apple cherry Date")
//go:noinline
func sortWords(s string) []string {
	w := strings.Fields(s)
	sort.Slice(w, func(i, j int) bool { return strings.ToLower(w[i]) > strings.ToLower(w[j]) })
	return w
}

//goemu:call search(1000, 729)
//go:noinline
func search(n, x int) int { return sort.Search(n, func(i int) bool { return i*i >= x }) }

//goemu:call mathematics(2)
//goemu:call mathematics(-0.5)
//goemu:call mathematics(1e300)
//go:noinline
func mathematics(x float64) (a, b, c, d, e, f, g float64) {
	return math.Sqrt(x), math.Floor(x), math.Trunc(x), math.Abs(x), math.Sin(x), math.Exp(x), math.Pow(x, 3)
}

//goemu:call fused(1.5, 2, -0.25)
//go:noinline
func fused(x, y, z float64) (float64, uint64) {
	return math.FMA(x, y, z), math.Float64bits(math.Copysign(x, z))
}

//goemu:call bitTricks(0xff0f)
//goemu:call bitTricks(0)
//go:noinline
func bitTricks(x uint64) (int, int, int, uint64, uint64) {
	hi, lo := bits.Mul64(x, x<<40)
	return bits.OnesCount64(x), bits.LeadingZeros64(x), bits.TrailingZeros64(x), bits.ReverseBytes64(x), hi ^ lo
}

//goemu:call digest("abc")
//goemu:call digest("")
//go:noinline
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

//goemu:call compareBytes("abc", "abd")
//goemu:call compareBytes("0123456789012345678901234567890123456789", "0123456789012345678901234567890123456789")
//go:noinline
func compareBytes(a, b string) (int, bool, int) {
	x, y := []byte(a), []byte(b)
	return bytes.Compare(x, y), bytes.Equal(x, y), bytes.IndexByte(x, 'c')
}

//goemu:call cleanPath("/a/b/../c//./d")
//go:noinline
func cleanPath(p string) (string, string, string) {
	return path.Clean(p), path.Base(p), path.Ext(p + ".tar.gz")
}

//goemu:call validUTF8("aé\xff")
//go:noinline
func validUTF8(s string) (bool, int, string) {
	return utf8.ValidString(s), utf8.RuneCountInString(s), strings.ToValidUTF8(s, "?")
}

var errFirst = errors.New("first")

type wrapped struct{ cause error }

func (w wrapped) Error() string { return "wrapped: " + w.cause.Error() }
func (w wrapped) Unwrap() error { return w.cause }

//goemu:call wrapErrors(true)
//goemu:call wrapErrors(false)
//go:noinline
func wrapErrors(b bool) (string, bool) {
	err := errors.New("other")
	if b {
		err = wrapped{wrapped{errFirst}}
	}
	return message(err), errors.Is(err, errFirst)
}
