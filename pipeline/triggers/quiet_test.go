package triggers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"tidemark/schemas/rules"
)

func TestQuietHoursAreTheAccountsOwn(t *testing.T) {
	nights := &rules.QuietHours{From: "20:00", To: "08:00"}
	weekends := &rules.QuietHours{From: "20:00", To: "08:00", AllDay: []string{"sat", "sun"}}
	for _, c := range []struct {
		name, zone, at, until string // until empty: not quiet
		quiet                 *rules.QuietHours
	}{
		{"none", "UTC", "2026-01-05T23:00:00Z", "", nil},
		{"in the evening", "Europe/Berlin", "2026-01-05T19:30:00Z", "2026-01-06T07:00:00Z", nights},
		{"in the morning", "Europe/Berlin", "2026-01-06T06:59:59Z", "2026-01-06T07:00:00Z", nights},
		{"the first instant", "Europe/Berlin", "2026-01-05T19:00:00Z", "2026-01-06T07:00:00Z", nights},
		{"the instant before it", "Europe/Berlin", "2026-01-05T18:59:59Z", "", nights},
		{"the end is not quiet", "Europe/Berlin", "2026-01-06T07:00:00Z", "", nights},
		{"the same instant elsewhere", "America/New_York", "2026-01-05T19:30:00Z", "", nights},
		{"a zone that is unknown is UTC", "Mars/Olympus", "2026-01-05T20:30:00Z", "2026-01-06T08:00:00Z", nights},
		{"no zone is UTC", "", "2026-01-05T19:30:00Z", "", nights},
		{"a night of 11 hours, as summer begins", "Europe/Berlin", "2026-03-28T20:00:00Z", "2026-03-29T06:00:00Z", nights},
		{"from Friday's evening to Monday", "UTC", "2026-01-09T20:00:00Z", "2026-01-12T08:00:00Z", weekends},
		{"noon of Saturday", "UTC", "2026-01-10T12:00:00Z", "2026-01-12T08:00:00Z", weekends},
		{"noon of Friday", "UTC", "2026-01-09T12:00:00Z", "", weekends},
		{"whole days alone", "UTC", "2026-01-10T12:00:00Z", "2026-01-12T00:00:00Z", &rules.QuietHours{AllDay: []string{"sat", "sun"}}},
		{"at noon", "UTC", "2026-01-05T12:30:00Z", "2026-01-05T14:00:00Z", &rules.QuietHours{From: "12:00", To: "14:00"}},
		{"Monday's night lasts into Tuesday", "UTC", "2026-01-06T07:00:00Z", "2026-01-06T08:00:00Z", &rules.QuietHours{From: "20:00", To: "08:00", Days: []string{"mon"}}},
		{"Monday's morning is Sunday's", "UTC", "2026-01-05T07:00:00Z", "", &rules.QuietHours{From: "20:00", To: "08:00", Days: []string{"mon"}}},
		{"Tuesday's noon is not Monday's", "UTC", "2026-01-06T12:30:00Z", "", &rules.QuietHours{From: "12:00", To: "14:00", Days: []string{"mon"}}},
		{"hours without an end hold nothing back", "UTC", "2026-01-05T12:00:00Z", "", &rules.QuietHours{AllDay: []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, c.at)
			require.NoError(t, err)
			got := ""
			if until := quietUntil(c.quiet, at, location(c.zone)); !until.IsZero() {
				got = until.Format(time.RFC3339)
			}
			require.Equal(t, c.until, got)
		})
	}
}

// TestQuietHoursHoldBackBeginningsOnly: that an alert has ended is told at once, as nobody is called by it.
func TestQuietHoursHoldBackBeginningsOnly(t *testing.T) {
	r := &reign{Engine: &Engine{Config: Config{Log: zap.NewNop()}}}
	c := change{program: &program{Rule: &rules.Rule{Name: "r", QuietHours: &rules.QuietHours{From: "20:00", To: "08:00"}}}, account: "acme", zone: "Europe/Berlin"}
	night, day := time.Date(2026, 1, 5, 21, 0, 0, 0, time.UTC), time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	for kind, held := range map[Kind]bool{Fired: true, LevelUp: true, Amended: true, Retracted: false, Ended: false} {
		want := int64(0)
		if held {
			want = time.Date(2026, 1, 6, 7, 0, 0, 0, time.UTC).UnixMilli()
		}
		require.Equal(t, want, r.row(c, Transition{Kind: kind}, "{}", night).NotBefore, kind)
		require.Zero(t, r.row(c, Transition{Kind: kind}, "{}", day).NotBefore, kind)
	}
}
