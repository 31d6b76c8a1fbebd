package db

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"
)

// selection reads rows of joined tables into a model of bun and the models that it refers to. It is for lists that are read many times
// a second: the statement is prepared, and pgx puts the values into the fields, for a third of what it costs bun.
type selection[T any] struct {
	parts []part
	// columns is what stands between SELECT and FROM.
	columns string
}

// part is one of the tables.
type part struct {
	alias string
	// field is where its model is, such as Task.Runner; empty for T itself.
	field   string
	columns []string
	// optional: there may be no row, and the model then stays nil. Its first column is its id.
	optional bool

	path   []int // of field
	fields []*schema.Field
}

// mapping is what bun knows of the models.
var mapping = pgdialect.New().Tables()

// selectionOf panics for a column or field that is not there, as regexp.MustCompile does: selections are made at the start.
func selectionOf[T any](parts ...part) selection[T] {
	s := selection[T]{parts: parts}
	var columns []string
	for i := range s.parts {
		columns = append(columns, s.parts[i].resolve(reflect.TypeFor[T]())...)
	}
	s.columns = strings.Join(columns, ", ")
	return s
}

// resolve finds the fields of the columns, and names the columns in SQL.
func (p *part) resolve(model reflect.Type) []string {
	if p.field != "" {
		for name := range strings.SplitSeq(p.field, ".") {
			field, ok := model.FieldByName(name)
			if !ok {
				panic(fmt.Sprintf("%s has no field %s", model, name))
			}
			p.path, model = append(p.path, field.Index...), field.Type.Elem()
		}
	}
	out := make([]string, len(p.columns))
	for i, name := range p.columns {
		field, err := mapping.Get(reflect.PointerTo(model)).Field(name)
		if err != nil {
			panic(err)
		}
		p.fields, out[i] = append(p.fields, field), p.expression(field)
	}
	return out
}

// expression turns NULL into the zero value of the field, where it may be there and pgx does not.
func (p *part) expression(f *schema.Field) string {
	column := p.alias + "." + f.Name
	if !p.optional && !f.NullZero {
		return column
	}
	switch f.IndirectType.Kind() {
	case reflect.String:
		return "coalesce(" + column + ", '')"
	case reflect.Int, reflect.Int64:
		return "coalesce(" + column + ", 0)"
	default:
		return column
	}
}

// read returns the rows of what follows SELECT columns.
func (s selection[T]) read(ctx context.Context, d *DB, from string, args ...any) ([]*T, error) {
	rows, err := d.Pool.Query(ctx, "SELECT "+s.columns+" "+from, append([]any{prepared}, args...)...)
	if err != nil {
		return nil, err
	}
	return s.scan(rows)
}

// one is read for a row that has to be there, else ErrNotFound.
func (s selection[T]) one(ctx context.Context, d *DB, from string, args ...any) (*T, error) {
	found, err := s.read(ctx, d, from, args...)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// queue is read for a batch, which takes one round trip for all.
func (s selection[T]) queue(batch *pgx.Batch, into *[]*T, from string, args ...any) {
	batch.Queue("SELECT "+s.columns+" "+from, args...).Query(func(rows pgx.Rows) (err error) {
		*into, err = s.scan(rows)
		return err
	})
}

func (s selection[T]) scan(rows pgx.Rows) ([]*T, error) {
	defer rows.Close()
	var out []*T
	var into []any
	for rows.Next() {
		model := new(T)
		into = s.destinations(into[:0], reflect.ValueOf(model).Elem())
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		s.forgetAbsent(reflect.ValueOf(model).Elem())
		out = append(out, model)
	}
	return out, rows.Err()
}

// destinations makes the models of the parts, and appends where their columns go.
func (s selection[T]) destinations(into []any, model reflect.Value) []any {
	for _, p := range s.parts {
		target := model
		for _, i := range p.path {
			target = target.Field(i)
			if target.IsNil() {
				target.Set(reflect.New(target.Type().Elem()))
			}
			target = target.Elem()
		}
		for _, f := range p.fields {
			place := target.FieldByIndex(f.Index).Addr().Interface()
			if t, ok := place.(*time.Time); ok {
				place = (*zeronull.Timestamptz)(t)
			}
			into = append(into, place)
		}
	}
	return into
}

// forgetAbsent removes the models of optional parts that have no row. A part comes before those within it.
func (s selection[T]) forgetAbsent(model reflect.Value) {
	for _, p := range s.parts {
		if !p.optional {
			continue
		}
		holder := model
		for _, i := range p.path[:len(p.path)-1] {
			if holder = holder.Field(i); holder.IsNil() {
				break
			}
			holder = holder.Elem()
		}
		if holder.Kind() == reflect.Pointer {
			continue // it went with the part that it is in
		}
		pointer := holder.Field(p.path[len(p.path)-1])
		if pointer.Elem().FieldByIndex(p.fields[0].Index).IsZero() {
			pointer.SetZero()
		}
	}
}
