package decode

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/schemas"
)

// TestAccountOfManyNames: attributes are kept by their whole dotted names, so that a record within bounds can hold names of
// gigabytes.
func TestAccountOfManyNames(t *testing.T) {
	var wide strings.Builder
	fmt.Fprintf(&wide, `{%q:{`, strings.Repeat("n", MaxValue/2))
	for i := range 40_000 {
		fmt.Fprintf(&wide, `"%d":1,`, i)
	}
	wide.WriteString(`"":1}}`)
	require.Less(t, wide.Len(), MaxValue)
	deep := strings.Repeat(`{"n":`, 9000) + "1" + strings.Repeat("}", 9000)
	for name, tc := range map[string]struct {
		value  string
		reason schemas.Reason
	}{
		"wide":            {wide.String(), schemas.Oversize},
		"deep":            {deep, schemas.Malformed},
		"deeper":          {strings.Repeat(`{"n":`, 10_001) + "1" + strings.Repeat("}", 10_001), schemas.Malformed},
		"arrays":          {strings.Repeat(`[`, MaxValue), schemas.Malformed},
		"bytes behind":    {`{"plan":"pro"}}`, schemas.Malformed},
		"of long ago":     {`{"at":"0001-01-01T00:00:00Z"}`, schemas.BadTime},
		"of the far ages": {`{"at":"2262-01-01T00:00:00Z"}`, schemas.BadTime},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, rej := DecodeAccount([]byte("acme"), []byte(tc.value), recordTime)
			runtime.ReadMemStats(&after)
			require.NotNil(t, rej)
			require.Equal(t, tc.reason, rej.Reason, rej.Detail)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
		})
	}
	_, rej := DecodeAccount([]byte("acme"), nil, math.MaxInt64)
	require.Equal(t, schemas.BadTime, rej.Reason)
	most := strings.Repeat(`{"n":`, maxNesting) + "[ 1 ]" + strings.Repeat("}", maxNesting)
	a, rej := DecodeAccount([]byte("acme"), []byte(most), recordTime)
	require.Nil(t, rej)
	require.Equal(t, map[string]string{strings.Repeat("n.", maxNesting-1) + "n": "[ 1 ]"}, a.Attributes)
}

// TestTimesThatCannotBeStored: a window that begins after 2105 would be written as another.
func TestTimesThatCannotBeStored(t *testing.T) {
	var ev Event
	d := NewTelemetry(program(t), testLimits)
	decode := func(text string, recordTime int64) schemas.Reason {
		if rej := d.Decode([]byte(text), recordTime, &ev); rej != nil {
			return rej.Reason
		}
		return ""
	}
	require.Empty(t, decode(`{"type":"page","receivedAt":"2105-12-31T23:59:59Z"}`, recordTime))
	require.Equal(t, schemas.Future, decode(`{"type":"page","receivedAt":"2106-01-01T00:00:00Z"}`, recordTime))
	require.Equal(t, schemas.Future, decode(`{"type":"page","receivedAt":"9999-12-31T23:59:59Z","timestamp":"9999-12-31T23:59:59Z"}`, recordTime))
	require.Equal(t, schemas.Future, decode(`{"type":"page"}`, math.MaxInt64))
	require.Equal(t, schemas.TooOld, decode(`{"type":"page"}`, math.MinInt64))
	require.Equal(t, schemas.Future, decode(`{"type":"page","timestamp":"2026-09-21T13:33:20Z"}`, math.MinInt64))
	_, rej := DecodeTicket([]byte(`{"ticket_id":"1","account_id":"a","occurred_at":"2106-01-01T00:00:00Z","receivedAt":"2106-01-01T00:00:00Z","kind":"solved"}`),
		recordTime, testLimits)
	require.Equal(t, schemas.Future, rej.Reason)
}

// TestExactNames: a field is found by its exact name, as the recount and every other reader of the topic find it.
func TestExactNames(t *testing.T) {
	_, rej := DecodeTicket([]byte(`{"Ticket_ID":"1","account_id":"a","occurred_at":"2026-09-21T13:00:00Z","kind":"solved"}`), recordTime, testLimits)
	require.NotNil(t, rej)
	require.Equal(t, schemas.MissingField, rej.Reason)
}

// TestNestingIsBoundedAsInEncodingJSON: 10000 objects and arrays within each other, and not one more.
func TestNestingIsBoundedAsInEncodingJSON(t *testing.T) {
	d := NewTelemetry(program(t), testLimits)
	var ev Event
	for _, form := range []string{`{"type":"page","x":%s}`, `{"type":"page","context":{"x":%s}}`, `{"type":"page","properties":{"feature":%s}}`,
		`{"type":"page","traits":{"x":%s}}`, `{"type":"page","traits":{"company":{"x":%s}}}`} {
		outer := strings.Count(form, "{")
		most := strings.Repeat("[", maxDepth-outer) + strings.Repeat("]", maxDepth-outer)
		require.Nil(t, d.Decode(fmt.Appendf(nil, form, most), recordTime, &ev), form)
		rej := d.Decode(fmt.Appendf(nil, form, "["+most+"]"), recordTime, &ev)
		require.NotNil(t, rej, form)
		require.Equal(t, schemas.Malformed, rej.Reason)
	}
}
