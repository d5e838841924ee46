package views

import "tidemark/schemas"

// What a KPI is set beside, and how far back: a correlation over fewer periods than correlationPeriods would say nothing.
const (
	correlationLags    = 3
	correlationPeriods = 12
)

// kpiViews is the data of the templates of KPIs.
type kpiViews struct {
	*builder
	Events, ActiveUsers string // the metrics of usage that KPIs are set beside
}

// Lags is for the templates.
func (kpiViews) Lags() int { return correlationLags }

// CorrelationPeriods is for the templates.
func (kpiViews) CorrelationPeriods() int { return correlationPeriods }

// kpis are the views of the customers' own KPIs (metrics.md row 14).
func (b *builder) kpis() ([]view, error) {
	k := kpiViews{builder: b}
	var err error
	if k.Events, err = b.metricOf("usage", "events", schemas.Count); err != nil {
		return nil, err
	}
	if k.ActiveUsers, err = b.metricOf("usage", "active_users", schemas.Distinct); err != nil {
		return nil, err
	}
	const at, f = "DateTime64(3, 'UTC')", "Nullable(Float64)"
	key := []column{{"account_id", "String", "", "Account."}, {"kpi", "String", "", "The customer's own KPI, such as otif."}}
	period := column{"period", "LowCardinality(String)", "", "Length of the period: day, week, month, quarter, year or other."}
	out := []view{
		{
			Name:    "kpis",
			Comment: "The customers' own KPIs, a row a period, as last reported, beside the account's usage in the same period (metrics.md row 14).",
			Columns: join(key, []column{
				{"period_start", at, "", "Start of the period, inclusive."},
				{"period_end", at, "", "End of the period, exclusive."},
				period,
				{"value", "Float64", "", "Value, as last reported for the period."},
				{"unit", "String", "", "Its unit, as reported with it; empty if none was."},
				{"value_previous", f, "", "Value of the period before, by its start; NULL for the first."},
				{"change", f, "", "value less value_previous."},
				{"reported_at", at, "", "When it was last reported."},
				{"reports", "UInt64", "reports", "How often a value was reported for the period: more than one are corrections."},
				{"events", "UInt64", "events", "Events of the account on the days (UTC) that begin in the period."},
				{"active_users", "UInt64", "users", "Distinct active users on those days."},
				{"segment", "LowCardinality(Nullable(String))", "", "Segment of the account as of the period's end; NULL if unknown."},
				{"usage_complete", "Bool", "", "Whether the account sent events before or on the period's first day, and all events of the period are in."},
			}),
		},
		{
			Name: "kpi_usage_correlation",
			Comment: "How the customers' own KPIs go together with their usage, which came 0 to 3 periods earlier (metrics.md row 14). " +
				"Two things that go together need not have to do with each other: this shows no cause.",
			Columns: join(key, []column{
				period,
				{"usage_metric", "LowCardinality(String)", "", "The column of usage: events or active_users."},
				{"lag", "UInt8", "periods", "How many periods earlier the usage is: 0 to 3."},
				{"periods", "UInt64", "periods", "Pairs of a KPI's period and the usage that many periods earlier: the n of the correlations. Only periods whose usage is complete, with none missing in between."},
				{"pearson", f, "", "Pearson's correlation, -1 to 1: how near they are to a straight line. NULL below 12 periods, or where one of them never changes."},
				{"spearman", f, "", "Spearman's correlation of ranks, -1 to 1: how near they are to rising together. NULL as pearson."},
			}),
		},
	}
	out = append(out, view{
		Name:    "segment_kpis",
		Comment: "The customers' own KPIs by segment and period: of all accounts that report one (metrics.md row 14).",
		Columns: []column{
			{"segment", "String", "", "Segment of the accounts as of the period's end; empty if unknown."},
			key[1],
			{"period_start", at, "", "Start of the period, inclusive."},
			{"period_end", at, "", "End of the period, exclusive."},
			period,
			{"unit", "String", "", "Unit of the values; those of another unit are another row."},
			{"accounts", "UInt64", "accounts", "Accounts that reported it for the period."},
			{"value_avg", "Float64", "", "Mean of their values."},
			{"value_median", "Float64", "", "Median of their values."},
			{"events", "UInt64", "events", "Events of those accounts in the period."},
			{"active_users", "UInt64", "users", "Their active users."},
		},
	})
	return b.rendered(out, k)
}
