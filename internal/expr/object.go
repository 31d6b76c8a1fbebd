package expr

import (
	"slices"
	"strings"
)

// Object is a mapping that keeps the order of its keys. Get does not mind upper and lower case.
type Object struct {
	keys   []string
	values []any
	exact  map[string]int
	folded map[string]int // only keys that are not in lower case; made when there is one
}

// NewObject returns an empty object. Its zero value is one too.
func NewObject() *Object { return &Object{} }

// Set adds a key at the end, or gives the very same key another value in its place.
func (o *Object) Set(key string, value any) {
	if i, ok := o.exact[key]; ok {
		o.values[i] = value
		return
	}
	if o.exact == nil {
		o.exact = map[string]int{}
	}
	i := len(o.keys)
	o.keys = append(o.keys, key)
	o.values = append(o.values, value)
	o.exact[key] = i
	if fold := strings.ToLower(key); fold != key {
		o.setFolded(fold, i)
	}
}

func (o *Object) setFolded(fold string, i int) {
	if o.folded == nil {
		o.folded = map[string]int{}
	}
	if _, ok := o.folded[fold]; !ok {
		o.folded[fold] = i
	}
}

// Get returns the value of a key: the very same one if there is one, else the first that differs only in
// case.
func (o *Object) Get(key string) (any, bool) {
	if i, ok := o.exact[key]; ok {
		return o.values[i], true
	}
	fold := strings.ToLower(key)
	if i, ok := o.exact[fold]; ok {
		return o.values[i], true
	}
	if i, ok := o.folded[fold]; ok {
		return o.values[i], true
	}
	return nil, false
}

// Len returns the number of keys.
func (o *Object) Len() int { return len(o.keys) }

// At returns the i-th key and its value.
func (o *Object) At(i int) (string, any) { return o.keys[i], o.values[i] }

// Keys returns the keys in order.
func (o *Object) Keys() []string { return slices.Clone(o.keys) }

// lookup finds a key of a plain map, without regard to case. Of several that differ only in case the
// smallest is taken, so that the answer does not depend on the order of the map.
func lookup(m map[string]any, key string) (any, bool) {
	if v, ok := m[key]; ok {
		return v, true
	}
	best, found := "", false
	for k := range m {
		if strings.EqualFold(k, key) && (!found || k < best) {
			best, found = k, true
		}
	}
	return m[best], found
}

// sortedKeys returns the keys of a plain map in the order in which it is read.
func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
