package views

// cohort is the data of the templates of cohorts.
type cohort struct {
	*builder
	Period, Start, Add string // week or month, the SQL function of its start, and the one that adds some
}

// cohorts are the views of how many of those who began together come back (metrics.md row 33).
func (b *builder) cohorts() ([]view, error) {
	var out []view
	for _, c := range []cohort{{b, "week", "toMonday", "addWeeks"}, {b, "month", "toStartOfMonth", "addMonths"}} {
		window := func(who string) []column {
			return []column{
				{"window_start", "DateTime('UTC')", "", "Start of the " + c.Period + " (UTC) in which the " + who + " first had value; weeks begin on Monday."},
				{"window_end", "DateTime('UTC')", "", "End of that " + c.Period + ", exclusive."},
				{"age", "UInt64", c.Period + "s", "How many " + c.Period + "s later; 0 is that " + c.Period + " itself."},
			}
		}
		done := column{"complete", "Bool", "", "Whether all events of the " + c.Period + " of that age are in, but for those that come later than the configured disorder."}
		users, err := b.simple("user_cohorts_"+c.Period, "Retention of the users of each account by the "+c.Period+" (UTC) of their first value event, as far back as days are kept. Add up the users for a segment or for all: each belongs to one account.",
			join([]column{{"account_id", "String", "", "Account."}, {"segment", "LowCardinality(Nullable(String))", "", "Segment that the account belongs to now. NULL if unknown."}}, window("users"), []column{
				{"users", "UInt64", "users", "Users of the cohort."},
				{"retained", "UInt64", "users", "Of those, users with a value event in the " + c.Period + " of that age."},
				{"retention_rate", "Float64", "ratio", "retained divided by users."},
				done,
			}), "user_cohorts", c)
		if err != nil {
			return nil, err
		}
		accounts, err := b.simple("segment_account_cohorts_"+c.Period, "Retention of the accounts of each segment by the "+c.Period+" (UTC) of their first value event, as far back as days are kept.",
			join([]column{{"segment", "String", "", "Segment of the accounts now; empty if unknown."}}, window("accounts"), []column{
				{"accounts", "UInt64", "accounts", "Accounts of the cohort, removed ones included."},
				{"retained", "UInt64", "accounts", "Of those, accounts with a value event in the " + c.Period + " of that age."},
				{"retention_rate", "Float64", "ratio", "retained divided by accounts."},
				done,
			}), "account_cohorts", c)
		if err != nil {
			return nil, err
		}
		out = append(out, users, accounts)
	}
	return out, nil
}
