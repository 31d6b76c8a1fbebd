package workflowfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readTree reads YAML into nodes. The first fault ends it, because what follows could not be understood.
func readTree(file string, src []byte) (*node, *Problem) {
	if len(src) > MaxFileBytes {
		return nil, &Problem{file, 1, 1, fmt.Sprintf("the file has %d bytes; the limit is %d", len(src), MaxFileBytes)}
	}
	var document yaml.Node
	if err := decodeYAML(src, &document); errors.Is(err, io.EOF) {
		return nil, &Problem{file, 1, 1, "the file is empty"}
	} else if err != nil {
		return nil, syntaxProblem(file, err)
	}
	b := builder{file: file, done: map[*yaml.Node]*node{}}
	n, problem := b.build(document.Content[0])
	if problem != nil {
		return nil, problem
	}
	return n, nil
}

// decodeYAML reads the first document. A panic of the YAML package counts as a syntax error: the file is a
// stranger's, and must not end the server.
func decodeYAML(src []byte, into *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: the file cannot be read: %v", r)
		}
	}()
	err = yaml.NewDecoder(bytes.NewReader(src)).Decode(into)
	if err == nil && len(into.Content) == 0 {
		return io.EOF
	}
	return err
}

var yamlError = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)

// syntaxProblem takes the line out of the YAML package's message.
func syntaxProblem(file string, err error) *Problem {
	p := &Problem{file, 1, 1, err.Error()}
	if m := yamlError.FindStringSubmatch(err.Error()); m != nil {
		p.Message = "invalid YAML: " + m[2]
		if line, err := strconv.Atoi(m[1]); err == nil {
			p.Line = line
		}
	}
	return p
}

// builder turns YAML nodes into ours. An alias shares the node of its anchor, so that writing it out costs
// nothing here; what it would cost is counted in size and bytes.
type builder struct {
	file       string
	done       map[*yaml.Node]*node // nil while a node is being built
	mergedKeys int
}

func (b *builder) fault(at *yaml.Node, format string, args ...any) *Problem {
	return &Problem{b.file, max(1, at.Line), max(1, at.Column), fmt.Sprintf(format, args...)}
}

func (b *builder) build(y *yaml.Node) (*node, *Problem) {
	if y.Kind == yaml.AliasNode {
		target, built := b.done[y.Alias]
		if built && target == nil {
			return nil, b.fault(y, "the alias *%s stands inside its own anchor", y.Value)
		}
		if built {
			return target, nil
		}
		y = y.Alias
	}
	b.done[y] = nil
	n := &node{at: Position{y.Line, y.Column}, size: 1}
	if problem := b.fill(n, y); problem != nil {
		return nil, problem
	}
	b.done[y] = n
	return n, b.checkBudget(n, y)
}

func (b *builder) fill(n *node, y *yaml.Node) *Problem {
	if strings.HasPrefix(y.Tag, "!") && !strings.HasPrefix(y.Tag, "!!") {
		return b.fault(y, "the YAML tag %s is not supported; a value that begins with ! must be quoted or stand in ${{ }}", y.Tag)
	}
	switch y.Kind {
	case yaml.SequenceNode:
		n.kind = listNode
		return b.fillList(n, y)
	case yaml.MappingNode:
		n.kind = mapNode
		return b.fillMap(n, y)
	}
	return b.fillScalar(n, y)
}

func (b *builder) fillList(n *node, y *yaml.Node) *Problem {
	for _, child := range y.Content {
		item, problem := b.build(child)
		if problem != nil {
			return problem
		}
		n.items = append(n.items, item)
		n.measure(item)
		if problem := b.checkBudget(n, child); problem != nil {
			return problem
		}
	}
	return nil
}

// measure counts a child into the tree.
func (n *node) measure(child *node) {
	n.size += child.size
	n.bytes += child.bytes
	n.height = max(n.height, child.height+1)
}

func (b *builder) checkBudget(n *node, y *yaml.Node) *Problem {
	switch {
	case n.height >= MaxDepth:
		return b.fault(y, "lists and mappings are nested more than %d deep", MaxDepth)
	case n.size > MaxNodes:
		return b.fault(y, "the file has more than %d values (aliases written out)", MaxNodes)
	case n.bytes > MaxExpandedBytes:
		return b.fault(y, "the file has more than %d bytes (aliases written out)", MaxExpandedBytes)
	}
	return nil
}

func (b *builder) fillScalar(n *node, y *yaml.Node) *Problem {
	n.text, n.bytes = y.Value, len(y.Value)
	switch {
	case y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		n.style = quoted
	case y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		n.style = block
	}
	switch y.ShortTag() {
	case "!!null":
		n.kind = nullNode
	case "!!bool":
		n.kind = boolNode
		return b.normalise(n, y, new(bool))
	case "!!int", "!!float":
		n.kind = numberNode
		return b.normalise(n, y, &n.num)
	default: // dates and the like are text to us
		n.kind = stringNode
	}
	return nil
}

// normalise checks that a scalar is what its tag says. A boolean is written in lower case; a number stays
// as it is, because `1.10` in an `env` is text in the end.
func (b *builder) normalise(n *node, y *yaml.Node, into any) *Problem {
	if err := y.Decode(into); err != nil {
		return b.fault(y, "%q is not %s", y.Value, n.kind)
	}
	if n.kind == boolNode {
		n.text = strings.ToLower(n.text)
	}
	return nil
}
