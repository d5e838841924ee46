package board

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"
)

func releasesPage() page {
	return page{
		path: "/releases", title: "Releases", nav: "Releases", filters: releaseFilters,
		intro: "What was used before a release and after it. What else changed meanwhile changed with it: this compares, and shows no cause.",
		panels: []panel{
			{
				name: "effects", title: "Before and after", load: effects, every: slow, wide: true,
				about: "Means over accounts of what each does a day, in 14 days on either side; the day of the release belongs to neither. The effect is Cohen's d: " +
					"the difference, in standard deviations of the accounts; 0.2 is small, 0.5 medium, 0.8 large.",
			},
			{name: "releases", title: "Releases", load: releases, every: slow, wide: true, about: "As deployments told of them, the latest first."},
		},
	}
}

type releaseRow struct {
	Version     string    `ch:"version"`
	DeployedAt  time.Time `ch:"deployed_at"`
	Deployments uint64    `ch:"deployments"`
	Notes       string    `ch:"notes"`
	Segments    string    `ch:"segments"`
}

// release is the one that the viewer chose, else the latest with a day behind it, else the latest; empty without any.
func (q query) release(rows []releaseRow) string {
	if chosen := q.get("version", ""); chosen != "" || len(rows) == 0 {
		return chosen
	}
	for _, r := range rows {
		if q.now.Sub(r.DeployedAt) > 2*day {
			return r.Version
		}
	}
	return rows[0].Version
}

func releaseFilters(ctx context.Context, s *store, q query) (*Filters, error) {
	rows, err := read[releaseRow](ctx, s, "releases", nil)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	shown := q.release(rows)
	version := Field{Name: "version", Label: "Release"}
	for _, r := range rows {
		version.Options = append(version.Options, Option{r.Version, r.Version, r.Version == shown})
	}
	return q.filters(version), nil
}

func releases(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[releaseRow](ctx, s, "releases", nil)
	if err != nil {
		return nil, err
	}
	t := &Table{Caption: "Releases", Empty: "No deployment has told of itself. The signal release.deployed does: see docs/formats.md.", Columns: []Column{
		{Name: "version", Label: "Version"}, {Name: "deployed_at", Label: "First deployed", Kind: When}, {Name: "segments", Label: "To segments"},
		{Name: "deployments", Label: "Deployments", Kind: Number}, {Name: "notes", Label: "Notes"},
	}}
	for _, r := range rows {
		t.Rows = append(t.Rows, []Cell{Link(r.Version, q.with("version", r.Version)), At(When, r.DeployedAt), Text(r.Segments), Num(Number, r.Deployments), Text(r.Notes)})
	}
	return t, nil
}

func effects(ctx context.Context, s *store, q query) (content, error) {
	known, err := read[releaseRow](ctx, s, "releases", nil)
	if err != nil {
		return nil, err
	}
	version := q.release(known)
	at := slices.IndexFunc(known, func(r releaseRow) bool { return r.Version == version })
	if at < 0 {
		return Message{"No such release", "No deployment has told of it; those below have."}, nil
	}
	rows, err := read[struct {
		Segment  string   `ch:"segment"`
		Metric   string   `ch:"metric"`
		Accounts uint64   `ch:"accounts"`
		Before   *float64 `ch:"before_avg"`
		After    *float64 `ch:"after_avg"`
		Change   *float64 `ch:"relative_change"`
		SDBefore *float64 `ch:"before_stddev"`
		SDAfter  *float64 `ch:"after_stddev"`
		Effect   *float64 `ch:"effect_size"`
		Days     uint8    `ch:"days_after"`
		Complete bool     `ch:"complete"`
	}](ctx, s, "release_effects", []any{named("version", version)})
	if err != nil {
		return nil, err
	}
	t := &Table{
		Caption: "Before and after " + version,
		Empty:   "No account was known on all days from two weeks before " + version + " on, so there is nothing to compare.",
		Columns: []Column{
			{Name: "metric", Label: "A day"}, {Name: "segment", Label: "Segment"}, {Name: "accounts", Label: "Accounts", Kind: Number, Help: "The sample: accounts that were known on all days of both sides"},
			{Name: "before_avg", Label: "Before", Kind: Number}, {Name: "before_stddev", Label: "± before", Kind: Number, Help: "Standard deviation over the accounts"},
			{Name: "after_avg", Label: "After", Kind: Number}, {Name: "after_stddev", Label: "± after", Kind: Number, Help: "Standard deviation over the accounts"},
			{Name: "relative_change", Label: "Change", Kind: Percent}, {Name: "effect_size", Label: "Effect", Kind: Number}, {Name: "verdict", Label: "In words"}, {Name: "days_after", Label: "Days after", Kind: Number},
		},
	}
	for _, r := range rows {
		verdict := Text(effectWords(r.Effect))
		if !r.Complete {
			verdict.Text += ", so far"
		}
		t.Rows = append(t.Rows, []Cell{
			Text(strings.ReplaceAll(r.Metric, "_", " ")), segmentCell(r.Segment), Num(Number, r.Accounts), Maybe(Number, r.Before), Maybe(Number, r.SDBefore),
			Maybe(Number, r.After), Maybe(Number, r.SDAfter), Maybe(Percent, r.Change), Maybe(Number, r.Effect), verdict, Num(Number, r.Days),
		})
	}
	return t, nil
}

// effectWords says what a Cohen's d is by convention.
func effectWords(d *float64) string {
	if d == nil {
		return "unknown"
	}
	var size string
	switch abs := math.Abs(*d); {
	case abs < 0.2:
		return "hardly any"
	case abs < 0.5:
		size = "small"
	case abs < 0.8:
		size = "medium"
	default:
		size = "large"
	}
	if *d < 0 {
		return size + " fall"
	}
	return size + " rise"
}
