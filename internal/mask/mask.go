// Package mask hides secrets in text that jobs print. Runners do so too; this is for what they missed, because a step
// printed a secret in another form, or because they do not know how.
//
// A Masker looks for all its secrets, in all their forms, in one walk over the text (Aho and Corasick), whose time does not
// depend on how many there are. Text without a secret is returned as it is, without a copy.
package mask

import (
	"slices"
	"strings"
)

// Stars take the place of a secret.
const Stars = "***"

// indexed is how many bytes of a pattern the automaton knows, which bounds its size. The rest of a longer one is compared
// where its beginning was found.
const indexed = 64

// Masker hides secrets. A nil one hides nothing. It never changes, so many goroutines may use it.
type Masker struct {
	root  [256]int32 // the nodes of first bytes; 0 for none
	nodes []node     // the first is the root
	// rests are what follows the indexed part of a pattern, by the node where that part ends. Where several patterns part
	// later than that, it is missing, and all of the text that follows is hidden.
	rests map[int32]string
	long  map[int32]bool
}

// node stands for a beginning of patterns.
type node struct {
	child, sibling int32
	fail           int32 // the longest end of this beginning that is a beginning too
	char           byte
	depth          uint8
	found          uint8 // length of the longest pattern that ends here
}

// New makes a Masker of the values of secrets, in all their forms.
func New(values ...string) *Masker {
	var all []string
	for _, v := range values {
		all = append(all, Forms(v)...)
	}
	return Exactly(all...)
}

// Exactly makes a Masker of texts as they are.
func Exactly(texts ...string) *Masker {
	m := &Masker{nodes: make([]node, 1), rests: map[int32]string{}, long: map[int32]bool{}}
	for _, text := range texts {
		m.add(text)
	}
	m.link()
	m.nodes = slices.Clone(m.nodes) // it lives as long as a task does
	return m
}

func (m *Masker) add(pattern string) {
	at := int32(0)
	for i := range min(len(pattern), indexed) {
		at = m.grow(at, pattern[i])
	}
	if len(pattern) < indexed {
		m.nodes[at].found = uint8(len(pattern))
		return
	}
	m.nodes[at].found = indexed
	rest := pattern[indexed:]
	if known, ok := m.rests[at]; m.long[at] && (!ok || known != rest) {
		delete(m.rests, at)
		return
	}
	m.long[at], m.rests[at] = true, rest
}

// grow returns the node of a beginning that is one byte longer, and makes it if there is none.
func (m *Masker) grow(at int32, char byte) int32 {
	if next := m.child(at, char); next != 0 {
		return next
	}
	made := int32(len(m.nodes))
	m.nodes = append(m.nodes, node{char: char, depth: m.nodes[at].depth + 1, sibling: m.nodes[at].child})
	m.nodes[at].child = made
	if at == 0 {
		m.root[char] = made
	}
	return made
}

// child returns the node of a beginning that is one byte longer, or 0.
func (m *Masker) child(at int32, char byte) int32 {
	if at == 0 {
		return m.root[char]
	}
	for next := m.nodes[at].child; next != 0; next = m.nodes[next].sibling {
		if m.nodes[next].char == char {
			return next
		}
	}
	return 0
}

// step returns the longest beginning that the text ends with, after one more byte of it.
func (m *Masker) step(at int32, char byte) int32 {
	for {
		if next := m.child(at, char); next != 0 || at == 0 {
			return next
		}
		at = m.nodes[at].fail
	}
}

// link fills in where to go on when a beginning goes no further, the shorter ones first.
func (m *Masker) link() {
	queue := make([]int32, 0, len(m.nodes))
	queue = append(queue, 0)
	for i := 0; i < len(queue); i++ {
		at := queue[i]
		for next := m.nodes[at].child; next != 0; next = m.nodes[next].sibling {
			if at != 0 {
				n := &m.nodes[next]
				n.fail = m.step(m.nodes[at].fail, n.char)
				n.found = max(n.found, m.nodes[n.fail].found)
			}
			queue = append(queue, next)
		}
	}
}

// Mask returns the text with Stars in place of each secret.
func (m *Masker) Mask(text string) string {
	begin, end := m.find(text, 0)
	if begin < 0 {
		return text
	}
	var out strings.Builder
	done := 0
	for begin >= 0 {
		out.WriteString(text[done:begin])
		out.WriteString(Stars)
		done = end
		begin, end = m.find(text, end)
	}
	out.WriteString(text[done:])
	return out.String()
}

// Hides tells whether there is a secret in the text.
func (m *Masker) Hides(text string) bool {
	begin, _ := m.find(text, 0)
	return begin >= 0
}

// find returns the first secret at or behind a place, with all that overlap it; begin is -1 if there is none.
func (m *Masker) find(text string, from int) (begin, end int) {
	begin, end = -1, -1
	if m == nil || len(m.nodes) == 1 {
		return begin, end
	}
	at := int32(0)
	for i := from; i < len(text); {
		if at == 0 {
			if begin >= 0 && i >= end {
				return begin, end
			}
			if i = m.skip(text, i); i == len(text) {
				break
			}
		}
		at = m.step(at, text[i])
		i++
		n := m.nodes[at]
		if begin >= 0 && i-int(n.depth) >= end {
			return begin, end // nothing that is still open overlaps
		}
		if n.found == 0 {
			continue
		}
		if start := i - int(n.found); begin < 0 || start < begin {
			begin = start
		}
		end = max(end, i)
		if n.found == indexed {
			if end = max(end, i+m.extend(at, text[i:])); end-indexed > i {
				i, at = end-indexed, 0
			}
		}
	}
	return begin, end
}

// skip returns the next place where a secret may begin.
func (m *Masker) skip(text string, i int) int {
	for i < len(text) && m.root[text[i]] == 0 {
		i++
	}
	return i
}

// extend returns how much of the text that follows an indexed part belongs to the secret.
func (m *Masker) extend(at int32, text string) int {
	for !m.long[at] { // a longer beginning ends with it
		at = m.nodes[at].fail
	}
	rest, one := m.rests[at]
	if !one {
		return len(text)
	}
	n := min(len(rest), len(text))
	for i := range n {
		if rest[i] != text[i] {
			return i
		}
	}
	return n
}
