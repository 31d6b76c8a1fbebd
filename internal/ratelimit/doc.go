// Package ratelimit bounds how often each of many clients may ask. Each has a bucket of tokens that fills at a steady rate; one
// request takes one token. Buckets are in the memory of one process, so that n servers together let n times the rate through,
// and at most a fixed number of them is kept: a client that was forgotten begins with a full bucket.
package ratelimit
