package runnergw

import (
	"testing"

	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"
)

// The decoder of rows takes what the protobuf library takes, in the same way.
func TestDecodeLogIsProtobuf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &runnerv1.UpdateLogRequest{
			TaskId: rapid.Int64().Draw(t, "task"), Index: rapid.Int64().Draw(t, "index"), NoMore: rapid.Bool().Draw(t, "no more"),
			Rows: rapid.SliceOf(rapid.Custom(func(t *rapid.T) *runnerv1.LogRow {
				row := &runnerv1.LogRow{Content: rapid.String().Draw(t, "content")}
				if rapid.Bool().Draw(t, "has time") {
					row.Time = &timestamppb.Timestamp{Seconds: rapid.Int64().Draw(t, "seconds"), Nanos: rapid.Int32().Draw(t, "nanos")}
				}
				return row
			})).Draw(t, "rows"),
		}
		data, err := proto.Marshal(want)
		require.NoError(t, err)
		got := &runnerv1.UpdateLogRequest{}
		require.NoError(t, binaryCodec{}.Unmarshal(data, got))
		require.True(t, proto.Equal(want, got), "%v\n%v", want, got)
	})
}

func TestDecodeNeverPanics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		ours, theirs := &runnerv1.UpdateLogRequest{}, &runnerv1.UpdateLogRequest{}
		if proto.Unmarshal(data, theirs) == nil {
			require.NoError(t, binaryCodec{}.Unmarshal(data, ours), "what protobuf takes, we take")
		} else {
			_ = binaryCodec{}.Unmarshal(data, ours)
		}
		_ = binaryCodec{}.Unmarshal(data, &runnerv1.UpdateTaskRequest{})
	})
}
