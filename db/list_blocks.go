package db

// The keys of a list are counted in blocks of a power of two (list_block in the migrations).
const (
	blockBits       = 14 // by id, in the lists of an owner and of all
	repoBlockBits   = 16 // by id, in the lists of a repository
	numberBlockBits = 14 // by run number
)

// length is how long a list is, and where its entries are.
type length struct {
	Listed
	// blocks are those that have entries, by number; nil where nothing is known of them.
	blocks    []block
	blockBits int
}

// block counts the entries with keys from Block << blockBits on, and below those of the next one.
type block struct {
	Block int64
	N     int
}

func (c listCount) blockBits() int {
	switch {
	case c.repoID == 0:
		return blockBits
	case c.list == "runs":
		return numberBlockBits
	default:
		return repoBlockBits
	}
}

// farPage is from how many entries before a page on it is worth asking for the blocks.
const farPage = 4096

// nearest finds the place from which the fewest entries have to be passed over to get to a page: an end of the list, or of
// a block, before the page or behind it. From behind, the page is read backwards.
func (l length) nearest(offset, limit int, desc bool) cut {
	before, behind := cut{offset: offset, limit: limit, desc: desc}, cut{offset: l.Total - offset - limit, limit: limit, desc: !desc}
	passed := 0
	for i := range l.blocks {
		b := l.blocks[i]
		if desc {
			b = l.blocks[len(l.blocks)-1-i]
		}
		if passed <= offset {
			before.offset, before.after = offset-passed, b.edge(l.blockBits, desc)
		}
		passed += b.N
		if passed >= offset+limit {
			behind.offset, behind.after = passed-offset-limit, b.edge(l.blockBits, !desc)
			break
		}
	}
	if behind.offset < before.offset {
		return behind
	}
	return before
}

// edge is the key just outside of a block: above it for who comes from there, else below.
func (b block) edge(bits int, fromAbove bool) int64 {
	if fromAbove {
		return (b.Block + 1) << bits
	}
	return b.Block<<bits - 1
}
