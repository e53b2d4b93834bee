package main

// Files of other programs, and other texts, that once made the standard library panic, take all memory, or loop.

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"debug/plan9obj"
	"encoding/asn1"
	"image/jpeg"
	"math/big"
	"mime"
	"regexp/syntax"
	"text/template"
)

//go:noinline
func machoFile(b []byte) (int, error) {
	f, err := macho.NewFile(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	symbols, err := f.ImportedSymbols()
	return len(symbols), err
}

//go:noinline
func fatFile(b []byte) (int, error) {
	f, err := macho.NewFatFile(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	return len(f.Arches), nil
}

//go:noinline
func elfFile(b []byte) (int, error) {
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	symbols, err := f.Symbols()
	return len(symbols), err
}

//go:noinline
func peFile(b []byte) (int, error) {
	f, err := pe.NewFile(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	symbols, err := f.ImportedSymbols()
	return len(symbols), err
}

//go:noinline
func planFile(b []byte) (int, error) {
	f, err := plan9obj.NewFile(bytes.NewReader(b))
	if err != nil {
		return 0, err
	}
	symbols, err := f.Symbols()
	return len(symbols), err
}

//go:noinline
func entries(abbrev, info, str []byte) (int, error) {
	d, err := dwarf.New(abbrev, nil, nil, info, nil, nil, nil, str)
	if err != nil {
		return 0, err
	}
	n := 0
	for r := d.Reader(); n < 100; n++ {
		entry, err := r.Next()
		if entry == nil || err != nil {
			return n, err
		}
	}
	return n, nil
}

//go:noinline
func objectID(b []byte) (string, error) {
	var id asn1.ObjectIdentifier
	_, err := asn1.Unmarshal(b, &id)
	return id.String(), err
}

//go:noinline
func photo(b []byte) error {
	_, err := jpeg.DecodeConfig(bytes.NewReader(b))
	return err
}

//go:noinline
func fraction(s string) (string, bool) {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return "", false
	}
	return r.Num().String(), ok
}

//go:noinline
func mediaType(s string) (string, error) {
	kind, _, err := mime.ParseMediaType(s)
	return kind, err
}

//go:noinline
func parsed(s string) error {
	_, err := template.New("").Parse(s)
	return err
}

//go:noinline
func expression(s string) (string, error) {
	r, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return "", err
	}
	return r.Simplify().String(), nil
}

func init() {
	keep = append(keep, machoFile, fatFile, elfFile, peFile, planFile, entries, objectID, photo, fraction, mediaType, parsed, expression)
}
