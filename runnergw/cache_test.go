package runnergw

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCache(t *testing.T) {
	now := time.Unix(0, 0)
	c := newCache[string, int](func() time.Time { return now }, 2, time.Minute)
	c.put("a", 1)
	c.put("b", 2)
	_, ok := c.get("a")
	require.True(t, ok)
	c.put("c", 3)
	_, ok = c.get("b")
	require.False(t, ok, "the least recently used goes first")
	require.Equal(t, 3, c.putIfAbsent("c", 4))
	now = now.Add(time.Minute)
	_, ok = c.get("a")
	require.False(t, ok, "nothing lives longer than the time to live")
	c.put("d", 4)
	c.drop("d")
	_, ok = c.get("d")
	require.False(t, ok)
	c.put("e", 5)
	c.clear()
	_, ok = c.get("e")
	require.False(t, ok)
	require.Zero(t, c.order.Len())
}

func TestPresenceIsDebounced(t *testing.T) {
	now := time.Unix(1000, 0)
	p := newPresence(Deps{Now: func() time.Time { return now }})
	p.online(1)
	p.online(1)
	require.Len(t, p.take(), 1)
	now = now.Add(29 * time.Second)
	p.online(1)
	require.Empty(t, p.take())
	p.active(1)
	require.True(t, p.take()[0].Active)
	now = now.Add(4 * time.Second)
	p.active(1)
	require.Empty(t, p.take())
	now = now.Add(time.Second)
	p.active(1)
	p.online(1)
	require.True(t, p.take()[0].Active)
	now = now.Add(2 * time.Minute)
	require.Empty(t, p.take())
	require.Empty(t, p.written, "runners that are gone are forgotten")
}
