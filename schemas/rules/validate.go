package rules

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"tidemark/schemas"
)

var (
	ruleName   = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	severities = []string{Info, Warning, Page}
	weekdays   = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
)

// validate finds what is wrong with the declarations beside their conditions.
func validate(cat *schemas.Catalogue, declared []Declaration) []error {
	var errs []error
	var names []string
	for _, d := range declared {
		names = append(names, d.Name)
	}
	seen := map[string]schemas.Pos{}
	for _, d := range declared {
		bad := func(key, format string, args ...any) {
			errs = append(errs, fmt.Errorf("%s: rule %s: %s", d.Pos.At(key), d.Name, fmt.Sprintf(format, args...)))
		}
		if first, dup := seen[d.Name]; dup {
			bad("name", "it is declared twice, first at %s", first)
		}
		seen[d.Name] = d.Pos
		d.validate(cat, bad)
		for _, by := range d.InhibitedBy {
			if !slices.Contains(names, by) {
				bad("inhibited_by", "there is no rule %q%s", by, schemas.Suggest(by, names))
			}
		}
	}
	return append(errs, circles(declared)...)
}

func (d Declaration) validate(cat *schemas.Catalogue, bad func(key, format string, args ...any)) {
	if !ruleName.MatchString(d.Name) {
		bad("name", "the name must match %s", ruleName)
	}
	for _, f := range []struct{ key, text string }{{"description", d.Description}, {"playbook", d.Playbook}, {"owner", d.Owner}} {
		if f.text == "" {
			bad(f.key, "%s is missing: an alert that nobody acts on is noise", f.key)
		}
	}
	if d.Severity != "" && !slices.Contains(severities, d.Severity) {
		bad("severity", "severity %q is unknown%s", d.Severity, schemas.Suggest(d.Severity, severities))
	}
	for i := 1; i < len(d.Levels); i++ {
		if d.Levels[i] <= d.Levels[i-1] {
			bad("levels", "levels must ascend; %v comes after %v", d.Levels[i], d.Levels[i-1])
		}
	}
	for _, s := range d.Segments {
		if there := cat.SegmentNames(); len(there) > 0 && !slices.Contains(there, s) {
			bad("segments", "the catalogue has no segment %q%s", s, schemas.Suggest(s, there))
		}
	}
	if d.QuietHours != nil {
		d.QuietHours.validate(bad)
	}
}

func (q QuietHours) validate(bad func(key, format string, args ...any)) {
	if (q.From == "") != (q.To == "") || q.From == "" && len(q.AllDay) == 0 {
		bad("quiet_hours", "quiet_hours need from and to, such as 20:00 and 08:00, or all_day, such as [sat, sun]")
	}
	for _, t := range []string{q.From, q.To} {
		if _, err := time.Parse("15:04", t); t != "" && err != nil {
			bad("quiet_hours", "quiet_hours: %q is no time of day such as 20:00", t)
		}
	}
	if q.From != "" && q.From == q.To {
		bad("quiet_hours", "quiet_hours: from and to are both %s: for whole days write all_day", q.From)
	}
	for _, d := range slices.Concat(q.Days, q.AllDay) {
		if !slices.Contains(weekdays, d) {
			bad("quiet_hours", "quiet_hours: day %q is unknown%s", d, schemas.Suggest(d, weekdays))
		}
	}
}

// circles finds rules that keep one another from firing.
func circles(declared []Declaration) []error {
	by := map[string]Declaration{}
	for _, d := range declared {
		by[d.Name] = d
	}
	var errs []error
	for _, d := range declared {
		next := append([]string{}, d.InhibitedBy...)
		for seen := map[string]bool{}; len(next) > 0; next = next[1:] {
			if next[0] == d.Name {
				errs = append(errs, fmt.Errorf("%s: rule %s: inhibited_by leads back to itself: neither could fire", d.Pos.At("inhibited_by"), d.Name))
				break
			}
			if !seen[next[0]] {
				seen[next[0]] = true
				next = append(next, by[next[0]].InhibitedBy...)
			}
		}
	}
	return errs
}
