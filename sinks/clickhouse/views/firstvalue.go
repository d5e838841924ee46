package views

import (
	"strings"
	"time"

	"tidemark/schemas"
)

// ValueMetrics is the SQL list of the metrics whose users had a value event, over all segments.
func (b *builder) ValueMetrics() string {
	seen := map[string]bool{}
	var all []string
	for _, segment := range append([]string{""}, sorted(b.cat.Targets.Segments)...) {
		if name := b.cat.ValueMetric(segment); name != "" && !seen[name] {
			seen[name] = true
			all = append(all, name)
		}
	}
	return quoteStrings(all)
}

// HasValue is the SQL condition on rows of members that their users had a value event: by the metric of the segment that the account
// belongs to now. Where all segments have the same one, no account is looked up.
func (b *builder) HasValue() string {
	in := "metric IN (" + b.ValueMetrics() + ")"
	var own strings.Builder
	for _, segment := range sorted(b.cat.Targets.Segments) {
		if name := b.cat.ValueMetric(segment); name != b.cat.ValueMetric("") {
			own.WriteString("account_id IN (SELECT account_id FROM " + b.DB() + ".account_history WHERE valid_to IS NULL AND segment = " + Quote(segment) + "), " + Quote(name) + ", ")
		}
	}
	if own.Len() == 0 {
		return in
	}
	return in + " AND metric = multiIf(" + own.String() + Quote(b.cat.ValueMetric("")) + ")"
}

// ValueMetricOf is the SQL of the metric whose users had a value event, for a segment.
func (b *builder) ValueMetricOf(segment string) string {
	return b.bySegment(segment, func(t schemas.Target) string {
		for name := range b.cat.Targets.Segments {
			if b.cat.TargetOf(name).ValueWhen == t.ValueWhen {
				return Quote(b.cat.ValueMetric(name))
			}
		}
		return Quote(b.cat.ValueMetric(""))
	})
}

// MinutesTier is how long windows of a minute are kept, in seconds.
func (b *builder) MinutesTier() int64 { return int64(b.MinuteRetention / time.Second) }

// firstValue are the views of the time to first value (metrics.md row 18).
func (b *builder) firstValue() ([]view, error) {
	const at, f = "Nullable(DateTime64(3, 'UTC'))", "Nullable(Float64)"
	v, err := b.simple("first_value", "When each account first had value from the product, and how long after its creation (metrics.md row 18).", []column{
		{"account_id", "String", "", "Account."},
		{"account_name", "Nullable(String)", "", "Name of the account. NULL if unknown."},
		{"plan", "LowCardinality(Nullable(String))", "", "Plan that the account pays for now. NULL if unknown."},
		{"segment", "LowCardinality(Nullable(String))", "", "Segment that the account belongs to now. NULL if unknown."},
		{"created_at", at, "", "When the account was created; NULL if unknown."},
		{"first_value_at", at, "", "Start of the earliest window that is kept with a value event of any user: what the catalogue's value_when says for its segment; NULL before it."},
		{"precision", "LowCardinality(Nullable(String))", "", "Length of that window: minute, hour or day. Shorter windows are not kept for as long."},
		{"time_to_value_seconds", f, "s", "From created_at to first_value_at, to the precision given, 0 at least; NULL until value is reached, or if created_at is unknown."},
		{"age_seconds", f, "s", "Time since created_at; NULL if it is unknown."},
		{"is_reached", "Bool", "", "Whether there was a value event."},
	}, "first_value", b)
	if err != nil {
		return nil, err
	}
	cohorts, err := b.simple("segment_first_value_month", "Time to first value of the accounts of each segment, by the month (UTC) of their creation (metrics.md row 18).", []column{
		{"segment", "String", "", "Segment of the accounts now; empty if unknown."},
		{"window_start", "DateTime('UTC')", "", "Start of the month in which the accounts were created."},
		{"window_end", "DateTime('UTC')", "", "End of the month, exclusive."},
		{"accounts", "UInt64", "accounts", "Accounts created in the month."},
		{"reached", "UInt64", "accounts", "Of those, accounts that had value since."},
		{"reached_share", f, "ratio", "reached divided by accounts."},
		{"time_to_value_seconds_p50", f, "s", "Median time to first value of those that reached it; NULL if none did."},
		{"time_to_value_seconds_p95", f, "s", "95th percentile of the same."},
	}, "segment_first_value_month", b)
	return []view{v, cohorts}, err
}

// onboarding are the views of the onboarding checklist (metrics.md row 17).
func (b *builder) onboarding() ([]view, error) {
	const at, f = "Nullable(DateTime64(3, 'UTC'))", "Nullable(Float64)"
	items, err := b.simple("onboarding_items", "Each item of the onboarding checklist of each account, done or not. The checklist is that of the segment in the catalogue.", []column{
		{"account_id", "String", "", "Account."},
		{"segment", "LowCardinality(Nullable(String))", "", "Segment that the account belongs to now. NULL if unknown."},
		{"item", "String", "", "Item of the checklist."},
		{"position", "UInt64", "", "Its place in the list, from 1."},
		{"done_at", at, "", "First event of any user that does it; NULL before it."},
		{"is_done", "Bool", "", "Whether it is done."},
	}, "onboarding_items", b)
	if err != nil {
		return nil, err
	}
	all, err := b.simple("onboarding", "How far each account is with the onboarding checklist (metrics.md row 17).", []column{
		{"account_id", "String", "", "Account."},
		{"segment", "LowCardinality(Nullable(String))", "", "Segment that the account belongs to now. NULL if unknown."},
		{"created_at", "DateTime64(3, 'UTC')", "", "When the account was created; if that is unknown, since when it is known."},
		{"items_total", "UInt64", "items", "Items of the checklist."},
		{"items_done", "UInt64", "items", "Of those, items done."},
		{"progress", f, "ratio", "items_done divided by items_total; NULL without a checklist."},
		{"last_item_at", at, "", "When the last item so far was done; NULL before the first."},
		{"completed_at", at, "", "When all were done; NULL before."},
		{"days_to_complete", f, "days", "From created_at to completed_at, 0 at least; NULL before."},
		{"state", "LowCardinality(String)", "", "done, open, or stalled: no new item for as long as the catalogue's stalled_after says, counted from created_at at first."},
		{"next_item", "Nullable(String)", "", "First item of the list that is not done; NULL if all are."},
	}, "onboarding", b)
	if err != nil {
		return nil, err
	}
	cohorts, err := b.simple("segment_onboarding_month", "Onboarding of the accounts of each segment, by the month (UTC) of their creation (metrics.md row 17).", []column{
		{"segment", "String", "", "Segment of the accounts now; empty if unknown."},
		{"window_start", "DateTime('UTC')", "", "Start of the month in which the accounts were created."},
		{"window_end", "DateTime('UTC')", "", "End of the month, exclusive."},
		{"accounts", "UInt64", "accounts", "Accounts created in the month."},
		{"done", "UInt64", "accounts", "Of those, accounts that have done all items."},
		{"stalled", "UInt64", "accounts", "Of those, accounts that have stalled."},
		{"progress_avg", f, "ratio", "Mean of progress."},
		{"days_to_complete_p50", f, "days", "Median of days_to_complete of those that have done all; NULL if none has."},
	}, "segment_onboarding_month", b)
	return []view{items, all, cohorts}, err
}

// Checklist is the SQL of the items of a segment: names and the events that do them.
func (b *builder) Checklist(segment string) string {
	return b.bySegment(segment, func(t schemas.Target) string {
		var items []string
		for _, i := range t.Onboarding.Items {
			items = append(items, "("+Quote(i.Name)+", ["+quoteStrings(b.cat.Expand(i.Event))+"])")
		}
		return "CAST([" + strings.Join(items, ", ") + "], 'Array(Tuple(String, Array(String)))')"
	})
}

// ChecklistEvents is the SQL list of the events that do an item of any checklist.
func (b *builder) ChecklistEvents() string {
	all := map[string]bool{"": true}
	for _, segment := range append([]string{""}, sorted(b.cat.Targets.Segments)...) {
		for _, i := range b.cat.TargetOf(segment).Onboarding.Items {
			for _, e := range b.cat.Expand(i.Event) {
				all[e] = true
			}
		}
	}
	return quoteStrings(sorted(all))
}

// StalledAfter is the SQL of the seconds without a new item after which the onboarding of a segment counts as stalled.
func (b *builder) StalledAfter(segment string) string {
	return b.bySegment(segment, func(t schemas.Target) string {
		return itoa(int64(time.Duration(t.Onboarding.StalledAfter) / time.Second))
	})
}
