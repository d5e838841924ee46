package views

// healthViews are the views of health, without their queries, which are templates of their names.
var healthViews = []view{
	{
		Name: "health_day",
		Comment: "Health of each account (metrics.md row 31) by the day (UTC): the score that its segment's profile gives to the periods that end with the day, " +
			"compared with the day before and with 7 days before. A condition on window_start is needed where not all history is meant.",
		Columns: append(append(healthKeys(), healthScores()...),
			column{"score_previous", "Nullable(Float64)", "points", "Score of the day before."},
			column{"score_7d_ago", "Nullable(Float64)", "points", "Score of 7 days before."},
			column{"delta", "Nullable(Float64)", "points", "score less score_previous."},
			column{"delta_7d", "Nullable(Float64)", "points", "score less score_7d_ago."},
			column{"band_previous", "LowCardinality(String)", "", "Band of the day before; empty if unknown."},
			column{"reason", "String", "", "What moved the score since the day before: the three components that did most, such as -12: escalations 0 -> 3. Where the score is NULL, what is unknown."},
			column{"reason_7d", "String", "", "The same since 7 days before."},
			complete,
		),
	},
	{
		Name: "health_components_day",
		Comment: "What each component gave to the health of each account (metrics.md row 31) by the day (UTC). The contributions of an account's day add up to its score. " +
			"A condition on window_start is needed where not all history is meant.",
		Columns: append(append(healthKeys(),
			column{"component", "LowCardinality(String)", "", "Component of the profile."}),
			column{"value", "Nullable(Float64)", "", "Its value; NULL if it is unknown, or text."},
			column{"shown", "String", "", "Its value as text, rounded to two places; empty if it is unknown."},
			column{"shown_previous", "String", "", "That of the day before."},
			column{"points", "Nullable(Float64)", "points", "What the value is worth, 0 to 100; NULL if it is unknown."},
			column{"contribution", "Nullable(Float64)", "points", "Its part in the score; NULL if the score is, 0 if it was left out as unknown. Of a banded profile each component has an equal part of 100, and those that decided share what is lost."},
			column{"contribution_previous", "Nullable(Float64)", "points", "That of the day before."},
			column{"delta", "Nullable(Float64)", "points", "contribution less contribution_previous."},
			column{"reason", "String", "", "delta in words, such as -12: escalations 0 -> 3; empty if nothing moved."},
			complete,
		),
	},
	{
		Name:    "health",
		Comment: "Health of each account now (metrics.md row 31): of the latest day that is complete, and of today so far.",
		Columns: append(append([]column{
			{"account_id", "String", "", "Account."},
			{"day", "DateTime('UTC')", "", "Start of the latest complete day, at most 8 days back."},
		}, healthScores()...),
			column{"score_previous", "Nullable(Float64)", "points", "Score of the day before that day."},
			column{"score_7d_ago", "Nullable(Float64)", "points", "Score of 7 days before it."},
			column{"delta", "Nullable(Float64)", "points", "score less score_previous."},
			column{"delta_7d", "Nullable(Float64)", "points", "score less score_7d_ago."},
			column{"reason", "String", "", "What moved the score since the day before."},
			column{"reason_7d", "String", "", "What moved the score in 7 days."},
			column{"score_today", "Nullable(Float64)", "points", "Score of today so far."},
			column{"band_today", "LowCardinality(String)", "", "Band of today so far."},
			column{"reason_today", "String", "", "What moved the score since yesterday."},
		),
	},
	{
		Name:    "segment_health_day",
		Comment: "Health of the accounts of each segment (metrics.md rows 31 and 32) by the day (UTC). A condition on window_start is needed where not all history is meant.",
		Columns: append(windowColumns("segment"),
			column{"accounts", "UInt64", "accounts", "Accounts of the segment."},
			column{"scored", "UInt64", "accounts", "Of those, accounts whose score is known."},
			column{"score_avg", "Nullable(Float64)", "points", "Mean score; NULL without any."},
			column{"score_median", "Nullable(Float64)", "points", "Median score; NULL without any."},
			column{"good", "UInt64", "accounts", "Accounts in good health."},
			column{"average", "UInt64", "accounts", "Accounts in average health."},
			column{"poor", "UInt64", "accounts", "Accounts in poor health."},
			column{"quality", "Nullable(Float64)", "points", "Mean of 100 for good, 60 for average and 40 for poor (Totango's portfolio quality); NULL without any."},
			column{"mrr_poor", "Nullable(Float64)", "currency", "Monthly recurring revenue of the accounts in poor health for which it is known; NULL if for none."},
			column{"declined_7d", "UInt64", "accounts", "Accounts whose band is worse than 7 days before."},
			complete,
		),
	},
}

func healthKeys() []column {
	return append(windowColumns("account_id"), column{"profile", "LowCardinality(String)", "", "Profile of the catalogue that scored the account."})
}

func healthScores() []column {
	return []column{
		{"segment", "LowCardinality(String)", "", "Segment of the account as of the window's end; empty if unknown."},
		{"score", "Nullable(Float64)", "points", "Health, 0 to 100; NULL if it is unknown."},
		{"band", "LowCardinality(String)", "", "good, average or poor; empty if the score is unknown."},
		{"unknown", "String", "", "Components whose value is unknown, separated by commas."},
		{"mrr", "Nullable(Float64)", "currency", "Monthly recurring revenue as of the window's end; NULL if unknown."},
	}
}
