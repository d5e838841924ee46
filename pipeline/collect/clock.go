package collect

import (
	"fmt"
	"time"
)

// wireTime is how the collector writes times: RFC 3339, UTC, milliseconds.
const wireTime = "2006-01-02T15:04:05.000Z"

// parseTime reads an RFC 3339 time and cuts it to milliseconds, as the pipeline
// does, so that both compute the same event time from the same event.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	// time.Parse takes a one-digit hour, and a comma for the point, as well.
	if err != nil || s[13] != ':' || s[19] == ',' {
		return time.Time{}, fmt.Errorf("%q is not an RFC 3339 time: write it like 2026-03-01T09:30:00.000Z", s)
	}
	return t.UTC().Truncate(time.Millisecond), nil
}

// correctTime takes the client's clock error out of original: the time between
// original and sent is measured by one clock, so it is right even when that
// clock is not. Zero times stand for absent ones.
func correctTime(received, original, sent time.Time) time.Time {
	switch {
	case original.IsZero():
		return received
	case sent.IsZero():
		return original
	}
	return time.UnixMilli(received.UnixMilli() - (sent.UnixMilli() - original.UnixMilli())).UTC()
}

// inWireRange reports whether t fits the four-digit years of RFC 3339.
func inWireRange(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }
