// Package secretbox seals what the database has to keep and hand out again, such as the secrets of workflows: a stolen
// dump is worth nothing without the installation's secret key.
//
// A sealed value is
//
//	format (1 byte) | key id (8 bytes) | nonce (24 bytes) | XChaCha20-Poly1305 of the text
//
// The key is derived from the installation's secret key and the key id from the key, so nothing but the secret key has to
// be configured or backed up. Nonces are random, and long enough that no number of values makes two alike. The seal covers
// the place of the value too: one that was copied to another row, by whoever can write to the database, does not open.
//
// To change the secret key, the new one becomes the primary and the old one is kept beside it: everything opens, what is
// sealed anew is sealed with the primary, and what does not begin with Header is waiting to be sealed again.
package secretbox
