package clickhouse

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/ClickHouse/ch-go/proto"
	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

// put appends values to a column of an INSERT's block.
func put[T any](to chcolumn.Interface, values []T) error {
	if words, ok := any(values).([]string); ok && to.Type() == "LowCardinality(String)" {
		return putWords(to, words)
	}
	_, err := to.Append(values)
	return err
}

// putWords fills a LowCardinality(String) column, which must be empty. The driver's own Append takes an allocation and two
// map accesses a row, most of the cost of an INSERT; this writes the column as the native protocol has it, and the driver
// reads it in, as it would read a server's.
func putWords(to chcolumn.Interface, words []string) error {
	var dictionary proto.ColStr
	dictionary.Append("") // the default has key 0
	keys := make([]uint32, len(words))
	known := map[string]uint32{"": 0}
	last, key := "", uint32(0)
	for i, w := range words {
		if w != last { // most columns repeat
			k, ok := known[w]
			if !ok {
				k = uint32(len(known)) //nolint:gosec // no more than there are rows
				known[w] = k
				dictionary.Append(w)
			}
			last, key = w, k
		}
		keys[i] = key
	}
	if err := to.Decode(proto.NewReader(bytes.NewReader(encodeWords(dictionary, keys))), len(words)); err != nil {
		return fmt.Errorf("encode %d words: %w", len(words), err)
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

func encodeWords(dictionary proto.ColStr, keys []uint32) []byte {
	n := dictionary.Rows()
	width := uint64(keys32)
	switch {
	case n <= math.MaxUint8:
		width = keys8
	case n <= math.MaxUint16:
		width = keys16
	}
	b := proto.Buffer{Buf: make([]byte, 0, 64+len(dictionary.Buf)+10*n+len(keys)<<width)}
	b.PutUInt64(ownDictionary | width)
	b.PutInt64(int64(n))
	dictionary.EncodeColumn(&b)
	b.PutInt64(int64(len(keys)))
	switch width {
	case keys8:
		for _, k := range keys {
			b.Buf = append(b.Buf, byte(k)) //nolint:gosec // there are few enough
		}
	case keys16:
		for _, k := range keys {
			b.Buf = binary.LittleEndian.AppendUint16(b.Buf, uint16(k)) //nolint:gosec // there are few enough
		}
	default:
		for _, k := range keys {
			b.Buf = binary.LittleEndian.AppendUint32(b.Buf, k)
		}
	}
	return b.Buf
}
