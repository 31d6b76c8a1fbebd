package observability

import (
	"context"
	"fmt"
	"io"
	"log/slog"
)

// LogOptions says how a process logs. The zero value is text from level info on.
type LogOptions struct {
	Format string // "text" or "json"; empty means text
	Level  string // "debug", "info", "warn" or "error", in any case; empty means info
}

// NewLogger returns a logger that writes one record a line to w, and adds the request id of the context that a
// record was logged with, as request_id. It fails on an unknown format or level.
func NewLogger(w io.Writer, opts LogOptions) (*slog.Logger, error) {
	level, err := parseLevel(opts.Level)
	if err != nil {
		return nil, err
	}
	handlerOpts := &slog.HandlerOptions{Level: level}
	switch opts.Format {
	case "", "text":
		return slog.New(contextHandler{slog.NewTextHandler(w, handlerOpts)}), nil
	case "json":
		return slog.New(contextHandler{slog.NewJSONHandler(w, handlerOpts)}), nil
	default:
		return nil, fmt.Errorf("log format %q is neither text nor json", opts.Format)
	}
}

func parseLevel(word string) (slog.Level, error) {
	var level slog.Level
	if word == "" {
		return slog.LevelInfo, nil
	}
	if err := level.UnmarshalText([]byte(word)); err != nil {
		return level, fmt.Errorf("log level %q is none of debug, info, warn and error", word)
	}
	return level, nil
}

// contextHandler adds what the context knows to each record.
type contextHandler struct{ slog.Handler }

// Handle adds the request id, if there is one.
func (h contextHandler) Handle(ctx context.Context, record slog.Record) error {
	if id := RequestID(ctx); id != "" {
		record.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs keeps the request id in loggers made by With.
func (h contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the request id in loggers made by WithGroup.
func (h contextHandler) WithGroup(name string) slog.Handler {
	return contextHandler{h.Handler.WithGroup(name)}
}
