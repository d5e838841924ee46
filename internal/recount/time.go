package recount

import (
	"fmt"
	"regexp"
	"time"
)

// rfc3339 is its form; time.Parse also takes hours of one digit and a comma.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

// millis parses an RFC 3339 time to Unix milliseconds, truncating.
func millis(s string) (int64, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, err
	}
	if !rfc3339.MatchString(s) {
		return 0, fmt.Errorf("%q is not the form of RFC 3339", s)
	}
	return t.UnixMilli(), nil
}

// checkAge refuses what is too far ahead, or older than the day tier keeps.
func (l Limits) checkAge(at, received int64) string {
	switch {
	case at > received+l.MaxFuture.Milliseconds(), at >= time.Date(2106, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli():
		return "future"
	case received-at > l.Retention[Day].Milliseconds() || at < 0:
		return "too_old"
	}
	return ""
}
