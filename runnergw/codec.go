package runnergw

import (
	"errors"
	"fmt"

	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Limits of what is decoded of one request, beside the size of its body.
const (
	// maxRows is how many rows of one UpdateLog are taken. The rest is left out, as if it had not been sent, and the
	// runner sends it again, because it is not acknowledged.
	maxRows = 100_000
	// maxReported is how many steps, and how many outputs, one UpdateTask may have.
	maxReported = 10_000
	// maxJSONBytes is the size of a JSON body. Real runners send the binary form.
	maxJSONBytes = 4 << 20
)

// binaryCodec is Connect's codec for application/proto, but it decodes rows of logs, which are nearly all there is to
// decode, with a handful of allocations for all of them, and it takes rows that are not UTF-8.
type binaryCodec struct{}

func (binaryCodec) Name() string { return "proto" }

func (binaryCodec) Marshal(message any) ([]byte, error) {
	return binaryCodec{}.MarshalAppend(nil, message)
}

// MarshalAppend lets Connect reuse its buffers.
func (binaryCodec) MarshalAppend(dst []byte, message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no protobuf message", message)
	}
	return proto.MarshalOptions{}.MarshalAppend(dst, m)
}

func (binaryCodec) Unmarshal(data []byte, message any) error {
	switch m := message.(type) {
	case *runnerv1.UpdateLogRequest:
		return decodeLog(data, m)
	case *runnerv1.UpdateTaskRequest:
		if err := checkReport(data); err != nil {
			return err
		}
		return proto.Unmarshal(data, m)
	case proto.Message:
		return proto.Unmarshal(data, m)
	}
	return fmt.Errorf("%T is no protobuf message", message)
}

// jsonCodec is Connect's codec for application/json with a limit of its own: a small body can name many rows.
type jsonCodec struct{ name string }

func (c jsonCodec) Name() string { return c.name }

func (jsonCodec) Marshal(message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no protobuf message", message)
	}
	return protojson.Marshal(m)
}

func (jsonCodec) Unmarshal(data []byte, message any) error {
	m, ok := message.(proto.Message)
	switch {
	case !ok:
		return fmt.Errorf("%T is no protobuf message", message)
	case len(data) == 0:
		return errors.New("an empty body is no JSON object")
	case len(data) > maxJSONBytes:
		return fmt.Errorf("a JSON body may have %d bytes; send the binary form", maxJSONBytes)
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, m)
}

// Field numbers of package runner.v1 (runner-protocol.md §2).
const (
	logTaskID, logIndex, logRows, logNoMore = 1, 2, 3, 4
	rowTime, rowContent                     = 1, 2
	timeSeconds, timeNanos                  = 1, 2
	reportState, reportOutputs, stateSteps  = 1, 2, 5
)

// eachField calls fn for the fields of a message: number holds those of numbers, value those of byte strings.
func eachField(data []byte, fn func(field protowire.Number, number uint64, value []byte) error) error {
	for len(data) > 0 {
		field, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		var number uint64
		var value []byte
		switch kind {
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(data)
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(data)
		default:
			field, n = 0, protowire.ConsumeFieldValue(field, kind, data)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		if err := fn(field, number, value); err != nil {
			return err
		}
	}
	return nil
}

// decodeLog decodes at most maxRows rows. The text of all rows shares one string.
func decodeLog(data []byte, m *runnerv1.UpdateLogRequest) error {
	rows, size := 0, 0
	err := eachField(data, func(field protowire.Number, number uint64, value []byte) error {
		switch field {
		case logTaskID:
			m.TaskId = int64(number)
		case logIndex:
			m.Index = int64(number)
		case logNoMore:
			m.NoMore = number != 0
		case logRows:
			rows++
			size += len(value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if rows > maxRows {
		rows, m.NoMore = maxRows, false
	}
	return newRowDecoder(rows, size).decode(data, m)
}

// rowDecoder allocates for all rows at once.
type rowDecoder struct {
	rows  []runnerv1.LogRow
	times []timestamppb.Timestamp
	text  []byte
	ends  []int // of the content of each row in text
}

func newRowDecoder(rows, size int) *rowDecoder {
	return &rowDecoder{
		rows: make([]runnerv1.LogRow, rows), times: make([]timestamppb.Timestamp, rows),
		text: make([]byte, 0, size), ends: make([]int, 0, rows),
	}
}

func (d *rowDecoder) decode(data []byte, m *runnerv1.UpdateLogRequest) error {
	err := eachField(data, func(field protowire.Number, _ uint64, value []byte) error {
		if field != logRows || len(d.ends) == len(d.rows) {
			return nil
		}
		return d.row(value)
	})
	if err != nil {
		return err
	}
	m.Rows = make([]*runnerv1.LogRow, len(d.rows))
	text, begin := string(d.text), 0
	for i, end := range d.ends {
		d.rows[i].Content = text[begin:end]
		m.Rows[i], begin = &d.rows[i], end
	}
	return nil
}

func (d *rowDecoder) row(data []byte) error {
	i, begin := len(d.ends), len(d.text)
	err := eachField(data, func(field protowire.Number, _ uint64, value []byte) error {
		switch field {
		case rowTime:
			d.rows[i].Time = &d.times[i]
			return decodeTime(value, &d.times[i])
		case rowContent:
			d.text = append(d.text[:begin], value...) // the last one wins
		}
		return nil
	})
	d.ends = append(d.ends, len(d.text))
	return err
}

func decodeTime(data []byte, t *timestamppb.Timestamp) error {
	return eachField(data, func(field protowire.Number, number uint64, _ []byte) error {
		switch field {
		case timeSeconds:
			t.Seconds = int64(number)
		case timeNanos:
			t.Nanos = int32(number)
		}
		return nil
	})
}

// checkReport refuses reports whose many tiny entries would take much more memory than their body.
func checkReport(data []byte) error {
	steps, outputs := 0, 0
	err := eachField(data, func(field protowire.Number, _ uint64, value []byte) error {
		switch field {
		case reportOutputs:
			outputs++
		case reportState:
			return eachField(value, func(field protowire.Number, _ uint64, _ []byte) error {
				if field == stateSteps {
					steps++
				}
				return nil
			})
		}
		return nil
	})
	if err == nil && (steps > maxReported || outputs > maxReported) {
		err = fmt.Errorf("a report may have %d steps and %d outputs", maxReported, maxReported)
	}
	return err
}
