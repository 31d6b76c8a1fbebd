package logchunk

import (
	"bytes"
	"fmt"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// TargetBytes is the size of text at which a writer should begin the next chunk.
const TargetBytes = 1 << 20

// maxTextBytes bounds what one chunk may decompress to: the target, one row, and room.
const maxTextBytes = 16 << 20

// Codec compresses and decompresses chunks. It is safe for concurrent use, and made once for a process, because its
// encoders and decoders are pooled.
type Codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// NewCodec makes a codec that uses up to GOMAXPROCS encoders and decoders at a time.
func NewCodec() (*Codec, error) {
	n := runtime.GOMAXPROCS(0)
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(n),
		zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("zstd encoder: %w", err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(n), zstd.WithDecoderMaxMemory(maxTextBytes))
	if err != nil {
		return nil, fmt.Errorf("zstd decoder: %w", err)
	}
	return &Codec{encoder: encoder, decoder: decoder}, nil
}

// Compress appends the compressed form of text to dst.
func (c *Codec) Compress(dst, text []byte) []byte { return c.encoder.EncodeAll(text, dst) }

// Text appends the text of a chunk to dst.
func (c *Codec) Text(dst, data []byte) ([]byte, error) {
	text, err := c.decoder.DecodeAll(data, dst)
	if err != nil {
		return dst, fmt.Errorf("decompress log chunk: %w", err)
	}
	return text, nil
}

// Rows returns the lines of text without the first skip, at most take of them; take < 0 means all. It is a part of
// text, not a copy.
func Rows(text []byte, skip, take int64) []byte {
	begin := lines(text, skip)
	if take < 0 {
		return text[begin:]
	}
	return text[begin : begin+lines(text[begin:], take)]
}

// lines is the length of the first n lines of text, or of all if there are fewer.
func lines(text []byte, n int64) int {
	at := 0
	for ; n > 0; n-- {
		next := bytes.IndexByte(text[at:], '\n')
		if next < 0 {
			return len(text)
		}
		at += next + 1
	}
	return at
}
