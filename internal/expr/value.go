package expr

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// normal reads a value of a context as one of the kinds of the language. Only the outermost level is
// looked at; what is inside is read when it is reached.
func normal(v any) any {
	switch v := v.(type) {
	case nil, bool, float64, string, []any, *Object, map[string]any, filtered:
		return v
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case int32:
		return float64(v)
	case float32:
		return float64(v)
	case json.Number:
		return parseNumber(string(v))
	case []string:
		return anySlice(v)
	case map[string]string:
		m := make(map[string]any, len(v))
		for k, s := range v {
			m[k] = s
		}
		return m
	}
	return fmt.Sprint(v)
}

func anySlice(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// Native returns v with every *Object as a map[string]any, for callers that do not need the order.
func Native(v any) any {
	switch v := normal(v).(type) {
	case filtered:
		return nativeList(v)
	case []any:
		return nativeList(v)
	case *Object:
		m := make(map[string]any, v.Len())
		for i, k := range v.keys {
			m[k] = Native(v.values[i])
		}
		return m
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, inner := range v {
			m[k] = Native(inner)
		}
		return m
	default:
		return v
	}
}

func nativeList(list []any) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = Native(v)
	}
	return out
}

// Truthy reports whether a value counts as true: everything but false, 0, NaN, the empty string and null.
func Truthy(v any) bool {
	switch v := normal(v).(type) {
	case nil:
		return false
	case bool:
		return v
	case float64:
		return v != 0 && !math.IsNaN(v)
	case string:
		return v != ""
	}
	return true
}

// ToString writes a value as text: null is empty, lists and objects are only named.
func ToString(v any) string {
	switch v := normal(v).(type) {
	case nil:
		return ""
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return FormatNumber(v)
	case string:
		return v
	case []any, filtered:
		return "Array"
	}
	return "Object"
}

// FormatNumber writes a number with up to 15 digits, in scientific form from 1E+15 on, as GitHub does.
func FormatNumber(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0"
	}
	return strconv.FormatFloat(f, 'G', 15, 64)
}

// toNumber reads a value as a number: null and false are 0, true is 1, lists and objects are NaN.
func toNumber(v any) float64 {
	switch v := v.(type) {
	case nil:
		return 0
	case bool:
		if v {
			return 1
		}
		return 0
	case float64:
		return v
	case string:
		return parseNumber(v)
	}
	return math.NaN()
}

// parseNumber reads decimal, hexadecimal (0x) and octal (0o) numbers. Empty text is 0; what is no number
// is NaN.
func parseNumber(text string) float64 {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return 0
	case text == "Infinity", text == "+Infinity":
		return math.Inf(1)
	case text == "-Infinity":
		return math.Inf(-1)
	case strings.HasPrefix(text, "0x"):
		return parseInteger(text[2:], 16)
	case strings.HasPrefix(text, "0o"):
		return parseInteger(text[2:], 8)
	case strings.Trim(text, "0123456789+-.eE") != "":
		return math.NaN() // ParseFloat knows forms that the language has not, such as 1_000 and 0x1p4
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

func parseInteger(digits string, base int) float64 {
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return math.NaN()
	}
	return float64(int32(n)) // as on GitHub, where these are 32-bit numbers
}
