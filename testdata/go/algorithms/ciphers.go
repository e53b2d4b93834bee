package main

// Ciphers, signatures, and the arithmetic on large numbers below them.

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rc4"
	"crypto/sha256"
	"encoding/hex"
	"math/big"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
)

// sealed encrypts n bytes, decrypts them, and says what the ciphertext hashes to.
//
//goemu:call sealed(0)
//goemu:call sealed(13)
//goemu:call sealed(128)
//goemu:call sealed(1000)
//go:noinline
func sealed(n int) string {
	block, err := aes.NewCipher(input(32))
	if err != nil {
		return err.Error()
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return err.Error()
	}
	nonce, extra := input(12), input(21)
	text := gcm.Seal(nil, nonce, input(n), extra)
	opened, err := gcm.Open(nil, nonce, text, extra)
	if err != nil || !bytes.Equal(opened, input(n)) {
		return "not what was sealed"
	}
	text[n] ^= 1
	if _, err := gcm.Open(nil, nonce, text, extra); err == nil {
		return "a forged text was opened"
	}
	text[n] ^= 1
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

//goemu:call chained(16)
//goemu:call chained(160)
//go:noinline
func chained(n int) string {
	block, err := aes.NewCipher(input(16))
	if err != nil {
		return err.Error()
	}
	text := input(n)
	cipher.NewCBCEncrypter(block, input(16)).CryptBlocks(text, text)
	cipher.NewCTR(block, input(16)).XORKeyStream(text, text)
	return hex.EncodeToString(text)
}

// chaCha20 is that of golang.org/x/crypto, in the copy that the release's own library is built with.
//
//goemu:call chaCha20(0)
//goemu:call chaCha20(200)
//goemu:call chaCha20(1000)
//go:noinline
func chaCha20(n int) string {
	c, err := chacha20.NewUnauthenticatedCipher(input(32), input(12))
	if err != nil {
		return err.Error()
	}
	text := input(n)
	c.XORKeyStream(text, text)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// chaChaSealed has assembly of its own for SSE and for AVX2.
//
//goemu:call chaChaSealed(0)
//goemu:call chaChaSealed(64)
//goemu:call chaChaSealed(129)
//goemu:call chaChaSealed(320)
//goemu:call chaChaSealed(1500)
//go:noinline
func chaChaSealed(n int) string {
	aead, err := chacha20poly1305.New(input(32))
	if err != nil {
		return err.Error()
	}
	nonce, extra := input(12), input(21)
	text := aead.Seal(nil, nonce, input(n), extra)
	opened, err := aead.Open(nil, nonce, text, extra)
	if err != nil || !bytes.Equal(opened, input(n)) {
		return "not what was sealed"
	}
	text[n] ^= 1
	if _, err := aead.Open(nil, nonce, text, extra); err == nil {
		return "a forged text was opened"
	}
	text[n] ^= 1
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

//goemu:call rc4Of(100)
//go:noinline
func rc4Of(n int) string {
	c, err := rc4.NewCipher(input(16))
	if err != nil {
		return err.Error()
	}
	text := input(n)
	c.XORKeyStream(text, text)
	return hex.EncodeToString(text)
}

//goemu:call hmacOf(100)
//go:noinline
func hmacOf(n int) string {
	mac := hmac.New(sha256.New, input(20))
	mac.Write(input(n))
	return hex.EncodeToString(mac.Sum(nil))
}

// curvePoint multiplies P-256's base point.
//
//goemu:call curvePoint(1)
//goemu:call curvePoint(32)
//go:noinline
func curvePoint(n int) string {
	x, y := elliptic.P256().ScalarBaseMult(input(n))
	return x.Text(16) + " " + y.Text(16)
}

// verified signs with a fixed nonce, by the definition of ECDSA, and lets the library verify it.
//
//goemu:call verified(20)
//go:noinline
func verified(n int) string {
	curve := elliptic.P256()
	order := curve.Params().N
	private, nonce := new(big.Int).SetBytes(input(31)), new(big.Int).SetBytes(input(30))
	hash := sha256.Sum256(input(n))
	public := ecdsa.PublicKey{Curve: curve}
	public.X, public.Y = curve.ScalarBaseMult(private.Bytes())
	r, _ := curve.ScalarBaseMult(nonce.Bytes())
	s := new(big.Int).Mul(r, private)
	s.Add(s, new(big.Int).SetBytes(hash[:]))
	s.Mul(s, new(big.Int).ModInverse(nonce, order)).Mod(s, order)
	good := ecdsa.Verify(&public, hash[:], r, s)
	hash[0] ^= 1
	forged := ecdsa.Verify(&public, hash[:], r, s)
	if !good || forged {
		return "wrong"
	}
	return r.Text(16) + " " + s.Text(16)
}

//goemu:call ed25519Of(0)
//goemu:call ed25519Of(200)
//go:noinline
func ed25519Of(n int) string {
	private := ed25519.NewKeyFromSeed(input(32))
	public := private.Public().(ed25519.PublicKey)
	signature := ed25519.Sign(private, input(n))
	if !ed25519.Verify(public, input(n), signature) || ed25519.Verify(public, input(n+1), signature) {
		return "wrong"
	}
	return hex.EncodeToString(signature)
}

//goemu:call bigExp(32)
//goemu:call bigExp(128)
//go:noinline
func bigExp(n int) string {
	base, exponent, modulus := number(n), number(n/2), number(n+1)
	odd := new(big.Int).SetBit(modulus, 0, 1)
	even := new(big.Int).SetBit(modulus, 0, 0)
	return new(big.Int).Exp(base, exponent, odd).Text(16) + " " + new(big.Int).Exp(base, exponent, even).Text(62)
}

//goemu:call bigMulDiv(9)
//goemu:call bigMulDiv(200)
//goemu:call bigMulDiv(1500)
//go:noinline
func bigMulDiv(n int) string {
	product := new(big.Int).Mul(number(n), number(n+7))
	quotient, rest := new(big.Int).QuoRem(product, number(n/2), new(big.Int))
	root := new(big.Int).Sqrt(product)
	gcd := new(big.Int).GCD(nil, nil, product, quotient)
	sum := sha256.Sum256([]byte(product.String() + quotient.Text(16) + rest.String() + root.String() + gcd.String()))
	return hex.EncodeToString(sum[:])
}

func number(n int) *big.Int { return new(big.Int).SetBytes(input(n)) }
