package clickhouse

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/ClickHouse/ch-go/proto"
	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

// Words is a column of strings that repeat: a list of the distinct ones and, for each row, a number into it. So a row takes
// four bytes that the collector of garbage need not look at. The zero Words is empty and ready for use.
type Words struct {
	list  []string // the first is empty: that is how ClickHouse keeps it
	keys  []uint32
	known map[string]uint32
}

// WordsOf returns a column of these words.
func WordsOf(words ...string) Words {
	var w Words
	w.Append(words...)
	return w
}

// Key returns the number of a word, for AppendKey.
func (w *Words) Key(word string) uint32 {
	if w.list == nil {
		w.list = []string{""}
		w.known = map[string]uint32{"": 0}
	}
	k, ok := w.known[word]
	if !ok {
		k = uint32(len(w.list)) //nolint:gosec // no more than there are rows
		w.known[word] = k
		w.list = append(w.list, word)
	}
	return k
}

// reset empties the column; it keeps its room.
func (w *Words) reset() {
	if w.list != nil {
		clear(w.list)
		clear(w.known)
		w.list, w.known[""] = w.list[:1], 0
	}
	w.keys = w.keys[:0]
}

// Append appends words.
func (w *Words) Append(words ...string) {
	for _, word := range words {
		if n := len(w.keys); n > 0 && w.list[w.keys[n-1]] == word { // most columns repeat
			w.keys = append(w.keys, w.keys[n-1])
		} else {
			w.keys = append(w.keys, w.Key(word))
		}
	}
}

// appendRun appends a word of a column in which equal words stand together, and which is only read: it does not look whether the
// word was there before the last row.
func (w *Words) appendRun(word string) {
	n := len(w.keys)
	if n > 0 && w.list[w.keys[n-1]] == word {
		w.keys = append(w.keys, w.keys[n-1])
		return
	}
	w.list = append(w.list, word)
	w.keys = append(w.keys, uint32(len(w.list)-1)) //nolint:gosec // no more than there are rows
}

// appendAll appends the words of another column to one that is only read.
func (w *Words) appendAll(other *Words) {
	base := uint32(len(w.list)) //nolint:gosec // no more than there are rows
	w.list = append(w.list, other.list...)
	w.keys = slices.Grow(w.keys, len(other.keys))
	for _, k := range other.keys {
		w.keys = append(w.keys, base+k)
	}
}

// AppendKey appends the word of a number that Key has given.
func (w *Words) AppendKey(k uint32) { w.keys = append(w.keys, k) }

// At returns the word of a row.
func (w *Words) At(row int) string { return w.list[w.keys[row]] }

// List returns the words that the numbers are of.
func (w *Words) List() []string { return w.list }

// KeyAt returns the number of a row's word.
func (w *Words) KeyAt(row int) uint32 { return w.keys[row] }

// Rows returns the number of rows.
func (w *Words) Rows() int { return len(w.keys) }

// Grow makes room for n more rows.
func (w *Words) Grow(n int) { w.keys = slices.Grow(w.keys, n) }

// All returns the words of all rows.
func (w *Words) All() []string {
	all := make([]string, len(w.keys))
	for i, k := range w.keys {
		all[i] = w.list[k]
	}
	return all
}

// gather appends runs of rows of other columns.
func (w *Words) gather(from []*Words, runs []run) {
	keys := make([][]uint32, len(from)) // of w, by those of the others
	for i, f := range from {
		keys[i] = make([]uint32, len(f.list))
		for k, word := range f.list {
			keys[i][k] = w.Key(word)
		}
	}
	for _, r := range runs {
		own := keys[r.batch]
		for _, k := range from[r.batch].keys[r.from:r.to] {
			w.keys = append(w.keys, own[k])
		}
	}
}

// put fills a column of an INSERT's block, which must be empty. A LowCardinality(String) is written as the native protocol
// has it, and the driver reads it in, as it would read a server's: its own Append takes an allocation and two map accesses
// a row, most of the cost of an INSERT.
func (w *Words) put(into chcolumn.Interface) error {
	if into.Type() != "LowCardinality(String)" {
		_, err := into.Append(w.All())
		return err
	}
	return decode(into, w.encode(), len(w.keys))
}

// decode has a column read rows in the native protocol's form.
func decode(into chcolumn.Interface, encoded []byte, rows int) error {
	if err := into.Decode(proto.NewReader(bytes.NewReader(encoded)), rows); err != nil {
		return fmt.Errorf("encode %d rows: %w", rows, err)
	}
	return nil
}

// The serialization's flags: a dictionary of the block's own follows, and the width of the keys.
const (
	ownDictionary = 1<<9 | 1<<10
	keys8         = 0
	keys16        = 1
	keys32        = 2
)

func (w *Words) encode() []byte {
	w.Key("") // the default, which has to be there even if no row has it
	var dictionary proto.ColStr
	for _, word := range w.list {
		dictionary.Append(word)
	}
	n := len(w.list)
	width := uint64(keys32)
	switch {
	case n <= math.MaxUint8:
		width = keys8
	case n <= math.MaxUint16:
		width = keys16
	}
	b := proto.Buffer{Buf: make([]byte, 0, 64+len(dictionary.Buf)+10*n+len(w.keys)<<width)}
	b.PutUInt64(ownDictionary | width)
	b.PutInt64(int64(n))
	dictionary.EncodeColumn(&b)
	b.PutInt64(int64(len(w.keys)))
	switch width {
	case keys8:
		for _, k := range w.keys {
			b.Buf = append(b.Buf, byte(k)) //nolint:gosec // there are few enough
		}
	case keys16:
		for _, k := range w.keys {
			b.Buf = binary.LittleEndian.AppendUint16(b.Buf, uint16(k)) //nolint:gosec // there are few enough
		}
	default:
		for _, k := range w.keys {
			b.Buf = binary.LittleEndian.AppendUint32(b.Buf, k)
		}
	}
	return b.Buf
}
