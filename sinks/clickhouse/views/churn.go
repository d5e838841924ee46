package views

import (
	"fmt"

	"tidemark/schemas"
)

// Months is how many months back the views of months go.
func (b *builder) Months() int64 { return int64(b.DayRetention.Hours() / 24 / 30) }

// Customer is the SQL of whether an account is a customer, by its state and the time since which it is known.
func (b *builder) Customer(state, at string) string {
	return fmt.Sprintf("(m.since <= %[2]s AND NOT %[1]s.is_removed AND ifNull(%[1]s.mrr > 0, true) AND ifNull(%[1]s.stage != 'churned', true))", state, at)
}

// churn are the views of retention in months (metrics.md rows 33 and 35).
func (b *builder) churn() ([]view, error) {
	const u, n, r, money = "UInt64", "Nullable(Float64)", "ratio", "currency"
	month := []column{
		{"window_start", "DateTime('UTC')", "", "Start of the month (UTC)."},
		{"window_end", "DateTime('UTC')", "", "End of the month, exclusive."},
	}
	segment := column{"segment", "String", "", "Segment of the account at the start of the month, or at its end if it was not known then; empty if unknown."}
	accounts, err := b.simple("account_months", "What became of each account in each month (UTC), as far as it has gone (metrics.md rows 33 and 34). "+
		"A customer is an account that is known, not removed, whose mrr is not 0 and whose stage is not churned.", join([]column{{"account_id", "String", "", "Account."}}, month, []column{
		segment,
		{"is_customer_start", "Bool", "", "Whether it was a customer at the start of the month."},
		{"is_customer_end", "Bool", "", "Whether it is one at its end, or now."},
		{"is_lost", "Bool", "", "Whether it was one and is none any more."},
		{"is_new", "Bool", "", "Whether it is one and was none."},
		{"seats_start", "Nullable(UInt64)", "seats", "Seats at the start of the month; NULL if unknown."},
		{"seats_end", "Nullable(UInt64)", "seats", "Seats at its end, or now; NULL if unknown."},
		{"mrr_start", n, money, "Monthly recurring revenue at the start of the month; NULL if unknown, or if it was no customer."},
		{"mrr_end", n, money, "The same at its end, or now."},
		{"mrr_lost", "Float64", money, "mrr_start, if it is lost."},
		{"mrr_contracted", "Float64", money, "How much mrr_end is below mrr_start, if it is still a customer."},
		{"mrr_expanded", "Float64", money, "How much it is above."},
		{"mrr_new", "Float64", money, "mrr_end, if it is new."},
		{"was_active", "Bool", "", "Whether it was a customer at the start with a value event in the 28 days before."},
		{"is_inactive", "Bool", "", "Whether it was active and had no value event in the 28 days before the end of the month, or now: lost by behaviour, whether it has left or not."},
		complete,
	}), "account_months", b)
	if err != nil {
		return nil, err
	}
	months, err := b.simple("segment_churn_month", "Churn and retention of accounts and of revenue in each segment by the month (UTC), as far as it has gone (metrics.md row 33). Add the counts up for all segments.", join([]column{segment}, month, []column{
		{"accounts_start", u, "accounts", "Customers at the start of the month."},
		{"accounts_lost", u, "accounts", "Of those, customers that are none at its end."},
		{"accounts_new", u, "accounts", "Customers at its end that were none at its start."},
		{"churn_rate", n, r, "accounts_lost divided by accounts_start: logo churn."},
		{"retention_rate", n, r, "1 less churn_rate."},
		{"mrr_start", "Float64", money, "Monthly recurring revenue at the start, of the customers for which it is known."},
		{"mrr_lost", "Float64", money, "That of the customers that are lost."},
		{"mrr_contracted", "Float64", money, "What others pay less."},
		{"mrr_expanded", "Float64", money, "What others pay more."},
		{"mrr_new", "Float64", money, "What new customers pay."},
		{"gross_revenue_retention", n, r, "mrr_start less mrr_lost and mrr_contracted, divided by mrr_start: GRR."},
		{"net_revenue_retention", n, r, "The same with mrr_expanded added: NRR."},
		{"accounts_active", u, "accounts", "Customers at the start with a value event in the 28 days before."},
		{"accounts_inactive", u, "accounts", "Of those, accounts without one in the 28 days before the end."},
		{"behavioural_churn_rate", n, r, "accounts_inactive divided by accounts_active."},
		complete,
	}), "segment_churn_month", b)
	if err != nil {
		return nil, err
	}
	value, err := b.simple("segment_lifetime_value", "An estimate of what an account of each segment brings before it leaves: ARPA times gross margin, divided by the monthly churn rate of the last 12 full months (metrics.md row 35).", []column{
		{"segment", "String", "", "Segment of the accounts now; empty if unknown."},
		{"accounts", u, "accounts", "Customers now."},
		{"arpa", n, money, "Mean monthly recurring revenue of the customers for which it is known."},
		{"gross_margin", n, r, "The catalogue's gross_margin for the segment."},
		{"accounts_lost", u, "accounts", "Customers that were lost in the last 12 full months, by the segment of then."},
		{"monthly_churn_rate", n, r, "accounts_lost divided by the customers at the start of those months, added up."},
		{"lifetime_value_estimate", n, money, "An estimate: arpa times gross_margin, divided by monthly_churn_rate. NULL unless a customer was lost."},
	}, "segment_lifetime_value", b)
	return []view{accounts, months, value}, err
}

// GrossMargin is the SQL of the share of revenue that lifetime value counts.
func (b *builder) GrossMargin(segment string) string {
	return b.bySegment(segment, func(t schemas.Target) string { return "toFloat64OrNull('" + number(t.GrossMargin) + "')" })
}

// expansion are the views of what accounts pay and may use more than before (metrics.md row 34).
func (b *builder) expansion() ([]view, error) {
	var out []view
	for _, days := range []int64{30, 90} {
		columns := join(windowColumns("account_id"), []column{
			{"seats_before", "Nullable(UInt64)", "seats", "Seats as of the window's start; NULL if unknown."},
			{"seats_change", "Nullable(Int64)", "seats", "Seats as of the window's end less seats_before; NULL if either is unknown."},
			{"mrr_before", "Nullable(Float64)", "currency", "Monthly recurring revenue as of the window's start; NULL if unknown."},
			{"mrr_change", "Nullable(Float64)", "currency", "Monthly recurring revenue as of the window's end less mrr_before; NULL if either is unknown."},
			{"complete", "Bool", "", "Whether the window is over. Records of accounts that come later still count, from when they hold."},
		}, dimension())
		v, err := b.simple(fmt.Sprintf("expansion_%dd", days), fmt.Sprintf("How seats and revenue of each account changed over %d days (UTC), up to the end of every day (metrics.md row 34).", days),
			columns, "expansion", struct {
				*builder
				Tier tier
				Days int64
			}{b, b.tiers()[2], days})
		if err != nil {
			return nil, err
		}
		both, err := b.withSegment(v, days*day, []segmentColumn{
			sumOver("seats_before"), sumOver("seats_change"), sumOver("mrr_before"), sumOver("mrr_change"),
			accountsWhere("expanded", "u.seats_change > 0 OR u.mrr_change > 0", "Accounts with more seats or revenue."),
			accountsWhere("contracted", "u.seats_change < 0 OR u.mrr_change < 0", "Accounts with fewer seats or less revenue."),
		})
		if err != nil {
			return nil, err
		}
		out = append(out, both...)
	}
	return out, nil
}
