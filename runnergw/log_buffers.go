package runnergw

import (
	"sync"

	"github.com/pawl-ci/pawl/internal/logchunk"
)

// buffers are the scratch space of one append, reused because appends are most of what a busy gateway does.
type buffers struct {
	text []byte
	data []byte
}

// keepBytes is the size above which a buffer is not worth keeping.
const keepBytes = 4 << 20

var bufferPool = sync.Pool{New: func() any { return &buffers{} }}

func takeBuffers() *buffers { return bufferPool.Get().(*buffers) }

// release makes the buffers free for others; nothing of them may be in use any longer.
func (b *buffers) release() {
	if cap(b.text)+cap(b.data) > keepBytes {
		return
	}
	b.text, b.data = b.text[:0], b.data[:0]
	bufferPool.Put(b)
}

// chunk compresses the text and begins a new one. The chunk is a part of b.data, which only grows.
func (b *buffers) chunk(c *logchunk.Codec) []byte {
	begin := len(b.data)
	b.data = c.Compress(b.data, b.text)
	b.text = b.text[:0]
	return b.data[begin:len(b.data):len(b.data)]
}
