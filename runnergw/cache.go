package runnergw

import (
	"container/list"
	"sync"
	"time"
)

// cache keeps the most recently used values, each no longer than its time to live (0: without end). It is safe for
// concurrent use.
type cache[K comparable, V any] struct {
	now func() time.Time
	ttl time.Duration
	max int

	mu    sync.Mutex
	items map[K]*list.Element
	order *list.List // of *cached[K, V], the most recently used first
}

type cached[K comparable, V any] struct {
	key   K
	value V
	until time.Time
}

func newCache[K comparable, V any](now func() time.Time, size int, ttl time.Duration) *cache[K, V] {
	return &cache[K, V]{now: now, ttl: ttl, max: size, items: map[K]*list.Element{}, order: list.New()}
}

func (c *cache[K, V]) get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.items[key]
	if e == nil {
		return value, false
	}
	item := e.Value.(*cached[K, V])
	if c.ttl > 0 && !c.now().Before(item.until) {
		c.remove(e)
		return value, false
	}
	c.order.MoveToFront(e)
	return item.value, true
}

func (c *cache[K, V]) put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.putLocked(key, value)
}

// putIfAbsent returns the value that is there after the call.
func (c *cache[K, V]) putIfAbsent(key K, value V) V {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.items[key]; e != nil {
		return e.Value.(*cached[K, V]).value
	}
	c.putLocked(key, value)
	return value
}

func (c *cache[K, V]) putLocked(key K, value V) {
	if e := c.items[key]; e != nil {
		c.remove(e)
	}
	c.items[key] = c.order.PushFront(&cached[K, V]{key: key, value: value, until: c.now().Add(c.ttl)})
	if c.order.Len() > c.max {
		c.remove(c.order.Back())
	}
}

func (c *cache[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.items[key]; e != nil {
		c.remove(e)
	}
}

func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.items)
	c.order.Init()
}

func (c *cache[K, V]) remove(e *list.Element) {
	delete(c.items, e.Value.(*cached[K, V]).key)
	c.order.Remove(e)
}
