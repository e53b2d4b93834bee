//go:build go1.18
// +build go1.18

package main

import (
	"go/build/constraint"
	"net/netip"
	"strings"
)

// own tells whether this is the computer's own address, written as one of IPv6.
//
//go:noinline
func own(a [4]byte) bool {
	return netip.AddrFrom16(netip.AddrFrom4(a).As16()).IsLoopback()
}

// secret tells whether nobody else is to route this address.
//
//go:noinline
func secret(a [4]byte) bool {
	return netip.AddrFrom16(netip.AddrFrom4(a).As16()).IsPrivate()
}

//go:noinline
func nestedConstraint(depth uint16) bool {
	open, shut := strings.Repeat("(", int(depth)), strings.Repeat(")", int(depth))
	_, err := constraint.Parse("//go:build " + open + "x" + shut)
	return err == nil
}

func init() { keep = append(keep, own, secret, nestedConstraint) }
