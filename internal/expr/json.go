package expr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// toJSON writes a value as JSON, two spaces to a level.
func toJSON(ev *evaluator, offset int, args []any) (any, error) {
	w := jsonWriter{indent: true}
	if err := w.value(args[0], 0); err != nil {
		return nil, errorAt(offset, "toJSON: %s", err)
	}
	return ev.text(offset, w.out.String())
}

// MarshalJSON writes a value as JSON on one line, with the keys of an *Object in their order. Values larger
// than MaxStringBytes, or nested too deeply, are an error.
func MarshalJSON(v any) ([]byte, error) {
	var w jsonWriter
	if err := w.value(v, 0); err != nil {
		return nil, err
	}
	return w.out.Bytes(), nil
}

// jsonWriter writes JSON in the order of the objects, which encoding/json would not keep.
type jsonWriter struct {
	out    bytes.Buffer
	indent bool
}

var errTooLarge = fmt.Errorf("the value is larger than %d bytes or nested more than %d deep", MaxStringBytes, MaxJSONDepth)

func (w *jsonWriter) value(v any, depth int) error {
	if w.out.Len() > MaxStringBytes || depth > MaxJSONDepth {
		return errTooLarge
	}
	switch v := normal(v).(type) {
	case nil:
		w.out.WriteString("null")
	case bool, string:
		w.scalar(v)
	case float64:
		w.number(v)
	case []any:
		return w.list(v, depth)
	case filtered:
		return w.list(v, depth)
	case *Object:
		return w.object(v.keys, v.values, depth)
	case map[string]any:
		return w.object(sortedKeys(v), elements(v), depth)
	}
	return nil
}

// scalar writes text without escaping <, > and &, which matter to HTML only.
func (w *jsonWriter) scalar(v any) {
	encoder := json.NewEncoder(&w.out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // a bool or string into memory cannot fail
	w.out.Truncate(w.out.Len() - 1)
}

// number writes null for what JSON has no number for.
func (w *jsonWriter) number(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		w.out.WriteString("null")
		return
	}
	w.out.WriteString(FormatNumber(f))
}

func (w *jsonWriter) newline(depth int) {
	if w.indent {
		w.out.WriteByte('\n')
		w.out.WriteString(strings.Repeat("  ", depth))
	}
}

func (w *jsonWriter) list(list []any, depth int) error {
	w.out.WriteByte('[')
	for i, v := range list {
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.newline(depth + 1)
		if err := w.value(v, depth+1); err != nil {
			return err
		}
	}
	if len(list) > 0 {
		w.newline(depth)
	}
	w.out.WriteByte(']')
	return nil
}

func (w *jsonWriter) object(keys []string, values []any, depth int) error {
	w.out.WriteByte('{')
	for i, k := range keys {
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.newline(depth + 1)
		w.scalar(k)
		w.out.WriteByte(':')
		if w.indent {
			w.out.WriteByte(' ')
		}
		if err := w.value(values[i], depth+1); err != nil {
			return err
		}
	}
	if len(keys) > 0 {
		w.newline(depth)
	}
	w.out.WriteByte('}')
	return nil
}

// fromJSON reads a text as JSON; objects keep their order.
func fromJSON(ev *evaluator, offset int, args []any) (any, error) {
	if isCollection(args[0]) {
		return nil, errorAt(offset, "fromJSON() takes a text, not a list or an object")
	}
	text := ToString(args[0])
	// Every element costs some tens of bytes of memory, and as many nanoseconds, for two of text.
	if err := ev.spend(offset, 48*len(text)); err != nil {
		return nil, err
	}
	v, err := ParseJSON(text)
	if err != nil {
		return nil, errorAt(offset, "fromJSON: %s", err)
	}
	return v, nil
}

// ParseJSON reads one JSON value: objects as *Object, in their order. The text may be MaxStringBytes long
// and MaxJSONDepth deep.
func ParseJSON(text string) (any, error) {
	if len(text) > MaxStringBytes {
		return nil, fmt.Errorf("the text is longer than %d bytes", MaxStringBytes)
	}
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("the text is empty")
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	v, err := readJSON(decoder, 0)
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("the text ends too early")
	}
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("there is more than one value")
	}
	return v, nil
}

func readJSON(decoder *json.Decoder, depth int) (any, error) {
	if depth > MaxJSONDepth {
		return nil, fmt.Errorf("nested more than %d deep", MaxJSONDepth)
	}
	tok, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch tok {
	case json.Delim('['):
		return readJSONList(decoder, depth)
	case json.Delim('{'):
		return readJSONObject(decoder, depth)
	}
	return normal(tok), nil
}

func readJSONList(decoder *json.Decoder, depth int) (any, error) {
	list := []any{}
	for decoder.More() {
		v, err := readJSON(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := decoder.Token()
	return list, err
}

func readJSONObject(decoder *json.Decoder, depth int) (any, error) {
	object := NewObject()
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		v, err := readJSON(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		name, _ := key.(string) // the decoder gives nothing else here
		object.Set(name, v)
	}
	_, err := decoder.Token()
	return object, err
}
