package db

import (
	"time"

	"github.com/uptrace/bun"
)

// Secret is a value that jobs get and nobody can read. Sealed is what the database has of it; lists leave it out.
type Secret struct {
	bun.BaseModel `bun:"table:secrets,alias:secret"`

	ID          int64     `bun:",pk,autoincrement"`
	OwnerID     int64     `bun:",notnull"`
	RepoID      int64     `bun:",notnull"`
	Name        string    `bun:",notnull"`
	Sealed      []byte    `bun:",notnull"`
	Description string    `bun:",notnull"`
	CreatedAt   time.Time `bun:",nullzero,default:now()"`
	UpdatedAt   time.Time `bun:",nullzero,default:now()"`
}

// Scope is whose secret it is.
func (s *Secret) Scope() Scope { return Scope{OwnerID: s.OwnerID, RepoID: s.RepoID} }

// Variable is a value that jobs and expressions get, and that everybody may read who may set it.
type Variable struct {
	bun.BaseModel `bun:"table:variables,alias:variable"`

	ID          int64     `bun:",pk,autoincrement"`
	OwnerID     int64     `bun:",notnull"`
	RepoID      int64     `bun:",notnull"`
	Name        string    `bun:",notnull"`
	Value       string    `bun:",notnull"`
	Description string    `bun:",notnull"`
	CreatedAt   time.Time `bun:",nullzero,default:now()"`
	UpdatedAt   time.Time `bun:",nullzero,default:now()"`
}

// Scope is whose variable it is.
func (v *Variable) Scope() Scope { return Scope{OwnerID: v.OwnerID, RepoID: v.RepoID} }
