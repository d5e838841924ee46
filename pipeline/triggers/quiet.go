package triggers

import (
	"slices"
	"strings"
	"time"

	"tidemark/schemas/rules"
)

// quietUntil is when the quiet hours end that a time lies in, in a time zone; zero: it lies in none.
func quietUntil(q *rules.QuietHours, at time.Time, zone *time.Location) time.Time {
	if q == nil || !quiet(q, at.In(zone)) {
		return time.Time{}
	}
	end := at.In(zone).Truncate(time.Minute)
	for range 15 * 24 * 60 { // two weeks: hours that never end hold nothing back
		end = end.Add(time.Minute)
		if !quiet(q, end) {
			return end.UTC()
		}
	}
	return time.Time{}
}

// quiet reports whether a local time lies in the quiet hours. Those over midnight count as of the day on which they begin.
func quiet(q *rules.QuietHours, local time.Time) bool {
	day := func(t time.Time) string { return strings.ToLower(t.Format("Mon")) }
	if slices.Contains(q.AllDay, day(local)) {
		return true
	}
	if q.From == "" || q.To == "" {
		return false
	}
	counts := func(t time.Time) bool { return len(q.Days) == 0 || slices.Contains(q.Days, day(t)) }
	now := local.Format("15:04")
	if q.From <= q.To {
		return counts(local) && q.From <= now && now < q.To
	}
	return now >= q.From && counts(local) || now < q.To && counts(local.AddDate(0, 0, -1))
}

// location is the time zone of an account; UTC if it has none that is known.
func location(name string) *time.Location {
	if name == "" {
		return time.UTC
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}
