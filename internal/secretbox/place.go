package secretbox

import (
	"encoding/binary"
	"fmt"
)

// Place is where a sealed value belongs. All of it is part of the seal, so it must be what stays the same for the life of
// the row; a row that is renamed has to be sealed again.
type Place struct {
	// Kind says what is sealed, such as "secret"; each table has its own.
	Kind            string
	OwnerID, RepoID int64
	Name            string
}

// String is for error messages.
func (p Place) String() string {
	return fmt.Sprintf("%s %q of owner %d, repository %d", p.Kind, p.Name, p.OwnerID, p.RepoID)
}

// bytes are different for different places: what has no fixed length is preceded by its length.
func (p Place) bytes() []byte {
	b := binary.AppendUvarint(nil, uint64(len(p.Kind)))
	b = append(b, p.Kind...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.OwnerID))
	b = binary.BigEndian.AppendUint64(b, uint64(p.RepoID))
	return append(b, p.Name...)
}
