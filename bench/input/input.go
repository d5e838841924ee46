// Package input is the fixed input of what is compared over time, or between decoders: 4000 canonical telemetry events of
// one partition, made once by the benchmark's generator.
package input

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"time"
)

//go:embed events.jsonl.gz
var packed []byte

// Start is the event time of the first event, about; the others follow within twenty minutes. It is also the records' time.
var Start = time.Date(2026, 9, 21, 13, 0, 0, 0, time.UTC)

// Events returns the events' JSON texts, in the order of their offsets.
func Events() ([][]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("the fixed input: %w", err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("the fixed input: %w", err)
	}
	return bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")), nil
}
