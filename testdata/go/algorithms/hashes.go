package main

// Digests and checksums: assembly of the library that picks its instructions by the processor. Each takes the
// length of its input.

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash/adler32"
	"hash/crc32"
	"hash/crc64"
	"strconv"
)

//goemu:call sha1Of(0)
//goemu:call sha1Of(3)
//goemu:call sha1Of(1000)
//go:noinline
func sha1Of(n int) string {
	sum := sha1.Sum(input(n))
	return hex.EncodeToString(sum[:])
}

//goemu:call sha256Of(0)
//goemu:call sha256Of(64)
//goemu:call sha256Of(1000)
//go:noinline
func sha256Of(n int) string {
	sum := sha256.Sum256(input(n))
	return hex.EncodeToString(sum[:])
}

//goemu:call sha512Of(0)
//goemu:call sha512Of(111)
//goemu:call sha512Of(1000)
//go:noinline
func sha512Of(n int) string {
	sum := sha512.Sum512(input(n))
	return hex.EncodeToString(sum[:])
}

//goemu:call md5Of(0)
//goemu:call md5Of(1000)
//go:noinline
func md5Of(n int) string {
	sum := md5.Sum(input(n))
	return hex.EncodeToString(sum[:])
}

//goemu:call crcIEEE(15)
//goemu:call crcIEEE(16)
//goemu:call crcIEEE(1000)
//go:noinline
func crcIEEE(n int) string {
	return strconv.FormatUint(uint64(crc32.ChecksumIEEE(input(n))), 16)
}

//goemu:call crcCastagnoli(7)
//goemu:call crcCastagnoli(1000)
//goemu:call crcCastagnoli(9000)
//go:noinline
func crcCastagnoli(n int) string {
	return strconv.FormatUint(uint64(crc32.Checksum(input(n), crc32.MakeTable(crc32.Castagnoli))), 16)
}

//goemu:call crcECMA(1000)
//go:noinline
func crcECMA(n int) string {
	return strconv.FormatUint(crc64.Checksum(input(n), crc64.MakeTable(crc64.ECMA)), 16)
}

//goemu:call adlerOf(6000)
//go:noinline
func adlerOf(n int) string {
	return strconv.FormatUint(uint64(adler32.Checksum(input(n))), 16)
}
