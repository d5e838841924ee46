package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tidemark/internal/preflight"
)

// ago is a time as it is told.
func ago(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < 48*time.Hour:
		return d.Round(time.Second).String()
	default:
		return preflight.Count(int(d.Hours()/24), "day")
	}
}

// before is the time so many seconds before the facts were gathered.
func (f *Facts) before(seconds float64) *time.Time {
	at := f.At.Add(-time.Duration(seconds * float64(time.Second))).Truncate(time.Second)
	return &at
}

// at is a time for a finding; none for one that is not set.
func at(t time.Time) *time.Time {
	if t.IsZero() || t.Unix() <= 0 {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// earliest is the first of some times, nil ones left out.
func earliest(times ...*time.Time) *time.Time {
	var first *time.Time
	for _, t := range times {
		if t != nil && (first == nil || t.Before(*first)) {
			first = t
		}
	}
	return first
}

// some lists at most n of the names.
func some(names []string, n int) string {
	if len(names) > n {
		return strings.Join(names[:n], ", ") + fmt.Sprintf(" and %d more", len(names)-n)
	}
	return strings.Join(names, ", ")
}

// size is a number of bytes as it is told.
func size(n uint64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, i := float64(n)/unit, 0
	for value >= unit && i < len("KMGTPE")-1 {
		value /= unit
		i++
	}
	return fmt.Sprintf("%.1f %cB", value, "KMGTPE"[i])
}

// unique are the texts without repeats, in order.
func unique(texts []string) []string {
	texts = slices.Clone(texts)
	slices.Sort(texts)
	return slices.Compact(texts)
}
