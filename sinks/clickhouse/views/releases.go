package views

import (
	"strings"

	"tidemark/schemas"
)

// effectDays is how many days before and after a release are compared: whole weeks, so that every weekday counts as often
// on both sides.
const effectDays = 14

// releaseViews is the data of the templates of releases.
type releaseViews struct {
	*builder
	Counted, Distinct []string // metrics of usage: counts and sums, and numbers of distinct users
}

// EffectDays is for the templates.
func (releaseViews) EffectDays() int { return effectDays }

// Names are the metrics as a list of SQL strings.
func (releaseViews) Names(metrics []string) string {
	quoted := make([]string, len(metrics))
	for i, m := range metrics {
		quoted[i] = Quote(m)
	}
	return strings.Join(quoted, ", ")
}

// releases are the views of releases, and of usage before and after them (metrics.md row 36).
func (b *builder) releases() ([]view, error) {
	r := releaseViews{builder: b}
	for _, m := range b.cat.Metrics {
		switch {
		case m.View != "usage":
		case m.Aggregate == schemas.Count || m.Aggregate == schemas.Sum:
			r.Counted = append(r.Counted, m.Name)
		case m.Aggregate == schemas.Distinct:
			r.Distinct = append(r.Distinct, m.Name)
		}
	}
	const at, f = "DateTime64(3, 'UTC')", "Nullable(Float64)"
	version := column{"version", "String", "", "Version that was released."}
	side := itoa(effectDays) + " days "
	all := []view{
		{
			Name:    "releases",
			Comment: "Releases of the product, for annotations: one row a version and segment that it was released to.",
			Columns: []column{
				version,
				{"segment", "String", "", "Segment that it was released to; empty: to all."},
				{"deployed_at", at, "", "When it was deployed first."},
				{"deployments", "UInt64", "deployments", "How often it was deployed."},
				{"notes", "String", "", "What the latest deployment says of it."},
			},
		},
		{
			Name: "release_effects",
			Comment: "Usage " + side + "before a release beside " + side + "after it, by segment (metrics.md row 36). The day of the release (UTC) belongs to neither; both sides have every weekday twice. " +
				"What else changed meanwhile changed with it: this compares, and shows no cause.",
			Columns: []column{
				version,
				{"deployed_at", at, "", "When it was deployed first."},
				{"segment", "String", "", "Segment of the accounts as of the release; empty if unknown. Of a release to one segment, that one only."},
				{"metric", "LowCardinality(String)", "", "Metric of usage, as the catalogue names it."},
				{"accounts", "UInt64", "accounts", "Accounts that were known on all days of both sides, silent ones included: the sample size."},
				{"before_avg", f, "a day", "Mean over those accounts of their daily mean before the release."},
				{"after_avg", f, "a day", "The same after it."},
				{"difference", f, "a day", "after_avg less before_avg."},
				{"relative_change", f, "ratio", "difference divided by before_avg; NULL if that is 0."},
				{"before_stddev", f, "a day", "Standard deviation, of the sample, of the accounts' daily means before; NULL for one account."},
				{"after_stddev", f, "a day", "The same after."},
				{"effect_size", f, "", "Cohen's d: difference divided by the root of the mean of the two variances. By convention 0.2 is small, 0.5 medium, 0.8 large. NULL with one account, or where all are alike."},
				{"days_after", "UInt8", "days", "Whole days since the release, " + itoa(effectDays) + " at most; the side after it is of so many."},
				{"complete", "Bool", "", "Whether all days after the release are over and their events are in. Before that the weekdays may not be aligned."},
			},
		},
	}
	return b.rendered(all, r)
}
