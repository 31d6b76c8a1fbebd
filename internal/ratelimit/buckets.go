package ratelimit

import (
	"fmt"
	"math"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxBuckets bounds the memory of one Buckets, to some ten megabytes.
const maxBuckets = 50_000

// State is what a client may be told of its bucket.
type State struct {
	// Limit is how many tokens it holds when full.
	Limit, Remaining int
	// Full is when it will be full again.
	Full time.Time
	// Wait is how long until there is a token; 0 when there is one.
	Wait time.Duration
}

// Buckets are the buckets of all clients of one kind. They are safe for concurrent use.
type Buckets struct {
	rate Rate
	now  func() time.Time

	mu    sync.Mutex // makes getting and adding one step
	byKey *lru.Cache[string, *rate.Limiter]
}

// New makes buckets that are full. With a rate that is off they never run dry.
func New(r Rate, now func() time.Time) (*Buckets, error) {
	byKey, err := lru.New[string, *rate.Limiter](maxBuckets)
	if err != nil {
		return nil, fmt.Errorf("rate limit: %w", err)
	}
	return &Buckets{rate: r, now: now, byKey: byKey}, nil
}

// Off tells whether nothing is limited.
func (b *Buckets) Off() bool { return b.rate.Off() }

// Take takes a token of a client, if there is one.
func (b *Buckets) Take(key string) (State, bool) {
	if b.Off() {
		return State{}, true
	}
	l, now := b.of(key), b.now()
	ok := l.AllowN(now, 1)
	return b.state(l, now), ok
}

// Look tells what is in the bucket of a client, and whether there is a token.
func (b *Buckets) Look(key string) (State, bool) {
	if b.Off() {
		return State{}, true
	}
	now := b.now()
	s := b.state(b.of(key), now)
	return s, s.Wait == 0
}

// Knows tells whether the client has a bucket, which is not a new one.
func (b *Buckets) Knows(key string) bool { return b.byKey.Contains(key) }

func (b *Buckets) of(key string) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, found := b.byKey.Get(key)
	if !found {
		l = rate.NewLimiter(rate.Limit(b.rate.PerSecond), b.rate.Burst)
		b.byKey.Add(key, l)
	}
	return l
}

func (b *Buckets) state(l *rate.Limiter, now time.Time) State {
	tokens := l.TokensAt(now)
	s := State{Limit: b.rate.Burst, Remaining: max(int(math.Floor(tokens)), 0), Full: now.Add(b.until(float64(b.rate.Burst) - tokens))}
	if tokens < 1 {
		s.Wait = max(b.until(1-tokens), 1)
	}
	return s
}

// until is how long it takes to gain tokens.
func (b *Buckets) until(tokens float64) time.Duration {
	const longest = float64(24*time.Hour) / float64(time.Second) // far from an overflow
	return time.Duration(min(tokens/b.rate.PerSecond, longest) * float64(time.Second))
}
