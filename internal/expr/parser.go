package expr

import (
	"math"
	"strings"
)

// Parse reads one expression, without `${{` and `}}` around it. The error is an *Error.
func Parse(src string) (*Expression, error) {
	e, end, err := parsePrefix(src)
	if err != nil {
		return nil, err
	}
	if end < len(src) {
		return nil, errorAt(end, "unexpected '}}'")
	}
	return e, nil
}

// parsePrefix reads an expression up to the end of src or to a `}}`, and returns where it stopped.
func parsePrefix(src string) (*Expression, int, error) {
	p := &parser{lexer: lexer{src: src}}
	if err := p.advance(); err != nil {
		return nil, 0, err
	}
	if p.tok.kind == tokEnd {
		return nil, 0, errorAt(p.tok.offset, "the expression is empty")
	}
	root, err := p.binary(0)
	if err != nil {
		return nil, 0, err
	}
	if p.tok.kind != tokEnd {
		return nil, 0, errorAt(p.tok.offset, "unexpected %s", p.tok)
	}
	if p.tok.offset > MaxExpressionChars {
		return nil, 0, errorAt(0, "the expression is longer than %d characters", MaxExpressionChars)
	}
	return &Expression{root: root, names: p.names, nodes: p.nodes}, p.tok.offset, nil
}

// parser reads one expression by precedence climbing, one token ahead.
type parser struct {
	lexer lexer
	tok   token
	depth int
	nodes int
	names []Name
}

func (p *parser) advance() error {
	closesValue := p.tok.kind == tokName || p.tok.kind == tokNumber || p.tok.kind == tokString ||
		p.tok.kind == tokSign && (p.tok.text == ")" || p.tok.text == "]" || p.tok.text == "*")
	tok, err := p.lexer.next(!closesValue)
	if err != nil {
		return err
	}
	if tok.offset > MaxExpressionChars {
		return errorAt(0, "the expression is longer than %d characters", MaxExpressionChars)
	}
	p.tok = tok
	return nil
}

func (p *parser) isSign(text string) bool { return p.tok.kind == tokSign && p.tok.text == text }

// expect moves past a sign that must come now.
func (p *parser) expect(text string) error {
	if !p.isSign(text) {
		return errorAt(p.tok.offset, "expected '%s', found %s", text, p.tok)
	}
	return p.advance()
}

// enter counts one level of nesting and one node; every call is paired with leave.
func (p *parser) enter() error {
	p.depth++
	p.nodes++
	if p.depth > MaxDepth {
		return errorAt(p.tok.offset, "the expression is nested more than %d deep", MaxDepth)
	}
	if p.nodes > MaxNodes {
		return errorAt(p.tok.offset, "the expression has more than %d parts", MaxNodes)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// precedence orders the operators that take two values, as GitHub documents them.
var precedence = map[string]int{
	"||": 1, "&&": 2, "==": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4,
}

// binary reads operators that bind at least as tightly as the given precedence.
func (p *parser) binary(atLeast int) (node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	left, err := p.unary()
	for err == nil {
		operator := p.tok
		binds := 0
		if operator.kind == tokSign {
			binds = precedence[operator.text]
		}
		if binds == 0 || binds < atLeast {
			return left, nil
		}
		if err = p.advance(); err == nil {
			var right node
			right, err = p.binary(binds + 1)
			left = newBinary(operator, left, right)
		}
	}
	return nil, err
}

func newBinary(operator token, left, right node) node {
	switch operator.text {
	case "&&", "||":
		return &logical{and: operator.text == "&&", left: left, right: right}
	}
	return &comparison{offset: operator.offset, operator: operator.text, left: left, right: right}
}

func (p *parser) unary() (node, error) {
	if !p.isSign("!") {
		return p.postfix()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if err := p.advance(); err != nil {
		return nil, err
	}
	of, err := p.unary()
	if err != nil {
		return nil, err
	}
	return &not{of: of}, nil
}

// postfix reads a value and the `.name`, `.*`, `[…]` and `[*]` after it. Each of them nests the one before,
// so each counts as a level.
func (p *parser) postfix() (node, error) {
	value, err := p.primary()
	levels := 0
	defer func() { p.depth -= levels }()
	for err == nil && (p.isSign(".") || p.isSign("[")) {
		levels++
		if err := p.enter(); err != nil {
			return nil, err
		}
		if p.isSign(".") {
			value, err = p.property(value)
		} else {
			value, err = p.subscript(value)
		}
	}
	return value, err
}

func (p *parser) property(of node) (node, error) {
	offset := p.tok.offset
	if err := p.advance(); err != nil {
		return nil, err
	}
	name := p.tok
	switch {
	case p.isSign("*"):
		return &star{offset: offset, of: of}, p.advance()
	case name.kind == tokName:
		if _, ok := of.(*variable); ok {
			p.names[len(p.names)-1].Property = name.text // nothing was named since
		}
		return &index{offset: offset, of: of, key: literal{name.text}}, p.advance()
	}
	return nil, errorAt(name.offset, "expected a property name after '.', found %s", name)
}

func (p *parser) subscript(of node) (node, error) {
	offset := p.tok.offset
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.isSign("*") {
		if err := p.advance(); err != nil {
			return nil, err
		}
		return &star{offset: offset, of: of}, p.expect("]")
	}
	key, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	return &index{offset: offset, of: of, key: key}, p.expect("]")
}

func (p *parser) primary() (node, error) {
	tok := p.tok
	if p.isSign("(") {
		return p.group()
	}
	if tok.kind == tokEnd || tok.kind == tokSign {
		return nil, errorAt(tok.offset, "expected a value, found %s", tok)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	switch tok.kind {
	case tokNumber:
		return literal{tok.number}, nil
	case tokString:
		return literal{tok.text}, nil
	}
	if p.isSign("(") {
		return p.call(tok)
	}
	return p.named(tok), nil
}

func (p *parser) group() (node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	inner, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	return inner, p.expect(")")
}

// named is a keyword or a context.
func (p *parser) named(tok token) node {
	switch tok.text {
	case "true":
		return literal{true}
	case "false":
		return literal{false}
	case "null":
		return literal{nil}
	case "NaN":
		return literal{math.NaN()}
	case "Infinity":
		return literal{math.Inf(1)}
	}
	name := strings.ToLower(tok.text)
	p.names = append(p.names, Name{Offset: tok.offset, Name: name})
	return &variable{offset: tok.offset, name: name}
}

func (p *parser) call(name token) (node, error) {
	f := functions[strings.ToLower(name.text)]
	if f == nil {
		return nil, errorAt(name.offset, "unknown function '%s'", name.text)
	}
	p.names = append(p.names, Name{Offset: name.offset, Name: strings.ToLower(name.text), Call: true})
	args, err := p.arguments()
	if err != nil {
		return nil, err
	}
	if len(args) < f.least || len(args) > f.most {
		return nil, errorAt(name.offset, "%s() takes %s, but has %d", name.text, f.arity(), len(args))
	}
	return &call{offset: name.offset, function: f, args: args}, nil
}

// arguments reads `(a, b)`.
func (p *parser) arguments() ([]node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if p.isSign(")") {
		return nil, p.advance()
	}
	for args := []node(nil); ; {
		arg, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
		if !p.isSign(",") {
			return args, p.expect(")")
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
}
