package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tidemark/internal/recount"
)

// Window is a window of a view: [Start, End).
type Window struct {
	Length string       `json:"length"` // minute, hour, day, 7d or 28d: how its view is named
	Start  time.Time    `json:"start"`
	End    time.Time    `json:"end"`
	tier   recount.Tier // of the windows that it is made of
}

// Lengths are the lengths of windows.
var Lengths = []string{"minute", "hour", "day", "7d", "28d"}

// String is how ParseWindow reads it.
func (w Window) String() string {
	switch w.Length {
	case "minute", "hour":
		return w.Length + " " + w.Start.Format("2006-01-02T15:04Z")
	case "day":
		return "day " + w.Start.Format(time.DateOnly)
	}
	return fmt.Sprintf("%s %s (from %s)", w.Length, w.End.AddDate(0, 0, -1).Format(time.DateOnly), w.Start.Format(time.DateOnly))
}

// ParseWindow reads a window such as "day 2026-11-25", "hour 2026-11-25T10:00" or "28d 2026-11-25", whose day is the
// last of 28. Without a length, a date is a day, a date and an hour (2026-11-25T10) an hour, and a time a minute;
// length, if not empty, says it apart.
func ParseWindow(text, length string) (Window, error) {
	if first, rest, found := strings.Cut(text, " "); found {
		if length != "" && length != first {
			return Window{}, fmt.Errorf("the window %q is a %s, and its length was given as %s", text, first, length)
		}
		length, text = first, strings.TrimSpace(rest)
	}
	if length != "" && !slices.Contains(Lengths, length) {
		return Window{}, fmt.Errorf("the length %q of the window is none of %s", length, strings.Join(Lengths, ", "))
	}
	var at time.Time
	err := fmt.Errorf("%q is no time", text)
	for _, form := range []struct{ layout, length string }{
		{time.DateOnly, "day"}, {"2006-01-02T15", "hour"}, {"2006-01-02T15:04", "minute"}, {time.DateTime, "minute"}, {"2006-01-02T15:04:05", "minute"},
	} {
		if at, err = time.ParseInLocation(form.layout, strings.TrimSuffix(text, "Z"), time.UTC); err == nil {
			if length == "" {
				length = form.length
			}
			break
		}
	}
	if err != nil {
		return Window{}, fmt.Errorf("the window %q is none: write 'day 2026-11-25', 'hour 2026-11-25T10:00', 'minute 2026-11-25T10:05' or '28d 2026-11-25' (UTC)", text)
	}
	return windowOf(length, at), nil
}

// windowOf is the window of a length that holds an instant; of some days, those up to its day.
func windowOf(length string, at time.Time) Window {
	w := Window{Length: length, tier: recount.Day}
	switch length {
	case "minute", "hour", "day":
		w.tier = recount.Tier(length)
		w.Start = at.Truncate(w.tier.Size())
		w.End = w.Start.Add(w.tier.Size())
	default:
		days := 7
		if length == "28d" {
			days = 28
		}
		w.End = at.Truncate(recount.Day.Size()).Add(recount.Day.Size())
		w.Start = w.End.AddDate(0, 0, -days)
	}
	return w
}

// holds says whether a window of its tier, or an instant, in Unix ms, is in it.
func (w Window) holds(ms int64) bool { return ms >= w.Start.UnixMilli() && ms < w.End.UnixMilli() }
