package workflowfile

import "go.yaml.in/yaml/v3"

// fillMap reads a mapping. A key may stand in it once; a key that is merged in with `<<` gives way to one
// that is written out, and to an earlier merge.
func (b *builder) fillMap(n *node, y *yaml.Node) *Problem {
	m := mapBuilder{builder: b, n: n, at: map[string]int{}, merged: map[string]bool{}}
	for i := 0; i+1 < len(y.Content); i += 2 {
		if problem := m.entry(y.Content[i], y.Content[i+1]); problem != nil {
			return problem
		}
		// A merge may bring in many keys at a time, so the budget is checked on the way.
		if problem := b.checkBudget(n, y.Content[i]); problem != nil {
			return problem
		}
	}
	return nil
}

// mapBuilder is a mapping on its way.
type mapBuilder struct {
	*builder
	n      *node
	at     map[string]int  // where a key stands in n
	merged map[string]bool // keys that came from `<<`
}

func (m *mapBuilder) entry(key, value *yaml.Node) *Problem {
	if key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" {
		return m.merge(value)
	}
	k, problem := m.build(key)
	if problem != nil {
		return problem
	}
	switch {
	case !k.isScalar():
		return m.fault(key, "a key must be a single value, not %s", k.kind)
	case len(k.text) > MaxKeyBytes:
		return m.fault(key, "the key is longer than %d bytes", MaxKeyBytes)
	}
	if i, twice := m.at[k.text]; twice && !m.merged[k.text] {
		return m.fault(key, "the key %q is already there in line %d", k.text, m.n.keys[i].at.Line)
	}
	v, problem := m.build(value)
	if problem != nil {
		return problem
	}
	delete(m.merged, k.text)
	m.put(k, v)
	return nil
}

// put sets a key; what it replaces keeps its place.
func (m *mapBuilder) put(k, v *node) {
	m.n.measure(k)
	m.n.measure(v)
	if i, there := m.at[k.text]; there {
		m.n.keys[i], m.n.items[i] = k, v
		return
	}
	m.at[k.text] = len(m.n.keys)
	m.n.keys = append(m.n.keys, k)
	m.n.items = append(m.n.items, v)
}

func (m *mapBuilder) merge(value *yaml.Node) *Problem {
	v, problem := m.build(value)
	if problem != nil {
		return problem
	}
	sources := []*node{v}
	if v.kind == listNode {
		sources = v.items
	}
	for _, source := range sources {
		if source.kind != mapNode {
			return m.fault(value, "<< takes a mapping or a list of mappings, not %s", source.kind)
		}
		// Merging keys that are there already adds nothing to the tree, but takes time all the same.
		if m.mergedKeys += len(source.keys); m.mergedKeys > MaxNodes {
			return m.fault(value, "more than %d keys are merged with <<", MaxNodes)
		}
		m.mergeFrom(source)
	}
	return nil
}

func (m *mapBuilder) mergeFrom(source *node) {
	for i, k := range source.keys {
		if _, there := m.at[k.text]; !there {
			m.put(k, source.items[i])
			m.merged[k.text] = true
		}
	}
}
