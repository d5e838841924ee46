// Package preflight checks the set-up that Tidemark is to run in: what Kafka and ClickHouse really are, not what the
// configuration says. Everything it asks leaves the set-up as it is.
package preflight

import (
	"fmt"
	"strconv"
	"time"
)

// Level is how grave a finding is.
type Level int

// The levels.
const (
	OK      Level = iota
	Warning       // works, but not as it should
	Error         // does not work, or breaks an invariant of docs/design.md
)

// String returns the level as it is printed.
func (l Level) String() string { return [...]string{"ok", "warning", "error"}[l] }

// Finding is one thing that was looked at.
type Finding struct {
	Level   Level
	Subject string // what it is about, such as "topic telemetry"
	Text    string // what was found
	Fix     string // what to do about it; empty if it is ok
}

// probeTimeout bounds each question to a server, so that one that hangs cannot hold up the others.
const probeTimeout = 10 * time.Second

// queryTimeout is that of ClickHouse, whose system tables take seconds to read while the server is busy.
const queryTimeout = 30 * time.Second

// findings gathers what was found.
type findings []Finding

func (f *findings) ok(subject, format string, args ...any) {
	*f = append(*f, Finding{OK, subject, fmt.Sprintf(format, args...), ""})
}

func (f *findings) warning(subject, fix, format string, args ...any) {
	*f = append(*f, Finding{Warning, subject, fmt.Sprintf(format, args...), fix})
}

func (f *findings) error(subject, fix, format string, args ...any) {
	*f = append(*f, Finding{Error, subject, fmt.Sprintf(format, args...), fix})
}

// Count is a number of things in words, such as 1 broker or 3 brokers.
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}
