package clickhouse

import (
	"encoding/binary"
	"slices"

	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

// column is one column of a table, over the slices of a batch.
type column interface {
	name() string
	rows() int
	// put fills the column of an INSERT's block.
	put(into chcolumn.Interface) error
	// gather appends runs of rows of the same column of other batches.
	gather(from []column, runs []run)
	// reset empties the column; it keeps its room.
	reset()
}

type plainColumn[T any] struct {
	title  string
	values *[]T
}

func col[T any](name string, values *[]T) column { return plainColumn[T]{name, values} }

func (c plainColumn[T]) name() string { return c.title }
func (c plainColumn[T]) rows() int    { return len(*c.values) }

func (c plainColumn[T]) put(into chcolumn.Interface) error {
	if words, ok := any(*c.values).([]string); ok && into.Type() == "LowCardinality(String)" {
		w := WordsOf(words...)
		return w.put(into)
	}
	_, err := into.Append(*c.values)
	return err
}

func (c plainColumn[T]) gather(from []column, runs []run) {
	*c.values = slices.Grow(*c.values, count(runs))
	for _, r := range runs {
		*c.values = append(*c.values, (*from[r.batch].(plainColumn[T]).values)[r.from:r.to]...) //nolint:forcetypeassert // the same column
	}
}

func (c plainColumn[T]) reset() {
	clear(*c.values) // of what they refer to
	*c.values = (*c.values)[:0]
}

type wordColumn struct {
	title string
	words *Words
}

func words(name string, w *Words) column { return wordColumn{name, w} }

func (c wordColumn) name() string                      { return c.title }
func (c wordColumn) rows() int                         { return c.words.Rows() }
func (c wordColumn) put(into chcolumn.Interface) error { return c.words.put(into) }
func (c wordColumn) reset()                            { c.words.reset() }

func (c wordColumn) gather(from []column, runs []run) {
	c.words.Grow(count(runs))
	others := make([]*Words, len(from))
	for i := range from {
		others[i] = from[i].(wordColumn).words //nolint:forcetypeassert // the same column
	}
	c.words.gather(others, runs)
}

// Sets is a column of sets of numbers. The zero Sets is empty and ready for use.
type Sets struct {
	values []uint64
	ends   []uint64 // where in values each row's set ends
}

// Add adds a number to the set that Close will close.
func (s *Sets) Add(n uint64) { s.values = append(s.values, n) }

// Close makes a row of the numbers added since the last Close.
func (s *Sets) Close() { s.ends = append(s.ends, uint64(len(s.values))) }

// Rows returns the number of rows.
func (s *Sets) Rows() int { return len(s.ends) }

// At returns the set of a row.
func (s *Sets) At(row int) []uint64 { return s.values[s.start(row):s.ends[row]] }

func (s *Sets) start(row int) uint64 {
	if row == 0 {
		return 0
	}
	return s.ends[row-1]
}

type setColumn struct {
	title string
	sets  *Sets
}

func sets(name string, s *Sets) column { return setColumn{name, s} }

func (c setColumn) name() string { return c.title }
func (c setColumn) rows() int    { return c.sets.Rows() }

// put writes an Array(UInt64) as the native protocol has it, the ends and then the values, and the driver reads it in: its
// own Append goes through reflection for each number.
func (c setColumn) put(into chcolumn.Interface) error {
	encoded := make([]byte, 0, 8*(len(c.sets.ends)+len(c.sets.values)))
	for _, numbers := range [][]uint64{c.sets.ends, c.sets.values} {
		for _, n := range numbers {
			encoded = binary.LittleEndian.AppendUint64(encoded, n)
		}
	}
	return decode(into, encoded, len(c.sets.ends))
}

func (c setColumn) reset() { c.sets.values, c.sets.ends = c.sets.values[:0], c.sets.ends[:0] }

func (c setColumn) gather(from []column, runs []run) {
	s := c.sets
	for _, r := range runs {
		other := from[r.batch].(setColumn).sets //nolint:forcetypeassert // the same column
		at, base := other.start(r.from), uint64(len(s.values))
		s.values = append(s.values, other.values[at:other.start(r.to)]...)
		for _, end := range other.ends[r.from:r.to] {
			s.ends = append(s.ends, end-at+base)
		}
	}
}
