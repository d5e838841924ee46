package views

import (
	"fmt"
	"time"
)

// Count is the number of windows in the slice.
func (s slice) Count() int64 { return s.To - s.From }

// minutesSlice is the data of the template minutes_slice.sql.
type minutesSlice struct {
	windows
	Ages slice
}

// Slice is for the templates.
func (w windows) Slice(s slice) minutesSlice { return minutesSlice{w, s} }

// MinutesFrom is the SQL of the first minute that the slice needs: that of its oldest window, and before it as much as
// tells whether its first events start a session.
func (m minutesSlice) MinutesFrom() string {
	before := m.Tier.Seconds*(m.Ages.To-1) + int64(time.Duration(m.cat.SessionGap)/time.Second) + minute
	return fmt.Sprintf("%s(%s) - %d", m.Tier.Start, m.Now, before)
}

// MinutesKept is how long user minutes are kept, in seconds.
func (b *builder) MinutesKept() int64 { return int64(b.HourRetention / time.Second) }

// allMinutes is the data of the template sessions.sql: user minutes of all times.
type allMinutes struct{ *builder }

// MinutesFrom is empty: no bound.
func (allMinutes) MinutesFrom() string { return "" }

func (b *builder) sessions() ([]view, error) {
	query, err := b.render("sessions", allMinutes{b})
	if err != nil {
		return nil, err
	}
	return []view{{
		Name:    "sessions",
		Comment: "Each session of each user: events with pauses shorter than the catalogue's session_gap. A condition on account_id makes reading it fast, one on time does not.",
		Columns: []column{
			{"account_id", "String", "", "Account."},
			{"user", "String", "", "Hash of the user: 16 hexadecimal digits."},
			{"started_at", "DateTime64(3, 'UTC')", "", "Time of the first event."},
			{"ended_at", "DateTime64(3, 'UTC')", "", "Time of the last event."},
			{"duration_seconds", "Float64", "s", "Time between the two."},
		},
		Query: query,
	}}, nil
}
