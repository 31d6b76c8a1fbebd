package workflowfile

// node is one YAML value with its aliases and merge keys resolved. Nodes do not change once they are built
// and may stand in several places of the tree.
type node struct {
	kind  kind
	at    Position
	text  string // scalars: the value as text
	num   float64
	style style
	keys  []*node // mappings: keys[i] belongs to items[i]
	items []*node

	size   int // nodes in this tree, itself included
	bytes  int // length of all texts in it
	height int // levels below it
}

type kind int8

const (
	nullNode kind = iota
	boolNode
	numberNode
	stringNode
	listNode
	mapNode
)

// String names the kind for a message.
func (k kind) String() string {
	return [...]string{"nothing", "a boolean", "a number", "a string", "a list", "a mapping"}[k]
}

// style says how a scalar is written, which tells where a part of it is in the source.
type style int8

const (
	plain style = iota
	quoted
	block
)

func (n *node) isScalar() bool { return n.kind < listNode }

// get returns the value of a key of a mapping, or nil. A key without a value counts as absent.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i, k := range n.keys {
		if k.text == key && n.items[i].kind != nullNode {
			return n.items[i]
		}
	}
	return nil
}

// The functions below make nodes that stand in no file, for payloads.

func newString(text string) *node { return &node{kind: stringNode, text: text} }

func newMap() *node { return &node{kind: mapNode} }

// set adds a key at the end; a nil value is left out.
func (n *node) set(key string, value *node) {
	if value != nil {
		n.keys = append(n.keys, newString(key))
		n.items = append(n.items, value)
	}
}

func newStrings(list []string) *node {
	n := &node{kind: listNode}
	for _, s := range list {
		n.items = append(n.items, newString(s))
	}
	return n
}
