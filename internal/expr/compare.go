package expr

import (
	"reflect"
	"strings"
)

// looselyEqual is `==`: values of the same kind are compared as such, strings without case; values of
// different kinds are compared as numbers. Lists and objects are equal only to themselves.
func looselyEqual(a, b any) bool {
	switch a := a.(type) {
	case nil:
		if b == nil {
			return true
		}
	case bool:
		if b, ok := b.(bool); ok {
			return a == b
		}
	case string:
		if b, ok := b.(string); ok {
			return strings.EqualFold(a, b)
		}
	}
	if isCollection(a) || isCollection(b) {
		return isCollection(a) && isCollection(b) && sameInstance(a, b)
	}
	return toNumber(a) == toNumber(b)
}

func isCollection(v any) bool {
	switch v.(type) {
	case []any, filtered, *Object, map[string]any:
		return true
	}
	return false
}

// sameInstance reports whether two collections are one and the same.
func sameInstance(a, b any) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if x.Type() != y.Type() || x.Pointer() != y.Pointer() {
		return false
	}
	return x.Kind() != reflect.Slice || x.Len() == y.Len()
}

// greater is `>`; it is false whenever a side has no order (NaN, lists, objects).
func greater(a, b any) bool {
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			return strings.ToUpper(x) > strings.ToUpper(y)
		}
	}
	return toNumber(a) > toNumber(b)
}

func compare(operator string, a, b any) bool {
	switch operator {
	case "==":
		return looselyEqual(a, b)
	case "!=":
		return !looselyEqual(a, b)
	case ">":
		return greater(a, b)
	case ">=":
		return greater(a, b) || looselyEqual(a, b)
	case "<":
		return greater(b, a)
	}
	return greater(b, a) || looselyEqual(a, b) // <=
}
