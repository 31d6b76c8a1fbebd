package git

import (
	"container/list"
	"sync"
)

// cacheKey names one immutable answer: what was asked of which commit of which repository.
type cacheKey struct {
	repository int64
	sha        string
	question   string
}

type cacheEntry struct {
	key   cacheKey
	value any
	size  int64
}

// cache keeps answers about commits, which never change, up to a number of bytes; the least recently
// used go first.
type cache struct {
	mu      sync.Mutex
	limit   int64
	size    int64
	order   *list.List // of *cacheEntry, most recent first
	entries map[cacheKey]*list.Element
}

func newCache(limit int64) *cache {
	return &cache{limit: limit, order: list.New(), entries: map[cacheKey]*list.Element{}}
}

func (c *cache) get(key cacheKey) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(element)
	return element.Value.(*cacheEntry).value, true
}

// put stores an answer of about size bytes; one larger than an eighth of the cache is not kept.
func (c *cache) put(key cacheKey, value any, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[key]; ok || size > c.limit/8 {
		return
	}
	c.entries[key] = c.order.PushFront(&cacheEntry{key: key, value: value, size: size})
	c.size += size
	for c.size > c.limit {
		c.drop(c.order.Back())
	}
}

// forget drops all answers about a repository.
func (c *cache) forget(repository int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, element := range c.entries {
		if key.repository == repository {
			c.drop(element)
		}
	}
}

func (c *cache) drop(element *list.Element) {
	entry := c.order.Remove(element).(*cacheEntry)
	delete(c.entries, entry.key)
	c.size -= entry.size
}
