package board

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// timeline draws what happened in a time range on one line of a table, as SVG. It is decoration: columns beside it say the same.
type timeline struct {
	from, to time.Time
	out      strings.Builder
}

// timelineWidth is how wide a range is drawn, in pixels.
const timelineWidth = 220

func newTimeline(from, to time.Time) *timeline {
	l := &timeline{from: from, to: to}
	fmt.Fprintf(&l.out, `<svg class="life" width="%d" height="16" viewBox="0 0 %[1]d 16" aria-hidden="true" focusable="false"><line class="axis" x1="0" y1="8" x2="%[1]d" y2="8"/>`, timelineWidth)
	return l
}

func (l *timeline) x(at time.Time) float64 {
	return min(max(timelineWidth*float64(at.Sub(l.from))/float64(l.to.Sub(l.from)), 0), timelineWidth)
}

func (l *timeline) within(at time.Time) bool { return !at.Before(l.from) && !at.After(l.to) }

// bar is a span of time; its class, which is one of board.css, gives it a colour.
func (l *timeline) bar(class string, from, to time.Time) {
	begin := l.x(from)
	fmt.Fprintf(&l.out, `<rect class="%s" x="%.1f" y="5" width="%.1f" height="6" rx="2"/>`, class, begin, max(l.x(to)-begin, 3))
}

// diamond is an event.
func (l *timeline) diamond(at time.Time) {
	if l.within(at) {
		fmt.Fprintf(&l.out, `<path class="escalation" d="M%.1f 2l5 6-5 6-5-6z"/>`, l.x(at))
	}
}

// mark is an event that is not of this line alone, such as a release.
func (l *timeline) mark(m Mark) {
	if at := time.Unix(m.At, 0); l.within(at) {
		fmt.Fprintf(&l.out, `<line class="%s" x1="%.1f" y1="0" x2="%.1[2]f" y2="16"/>`, template.HTMLEscapeString(m.Kind), l.x(at))
	}
}

func (l *timeline) html() template.HTML {
	return template.HTML(l.out.String() + "</svg>") //nolint:gosec // made of numbers and our own words
}
