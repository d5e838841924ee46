package views

// milestones is the view of what each account reached first, and when (metrics.md row 13). What else should be a milestone, such
// as a number of active users, is a goal of the catalogue.
func (b *builder) milestones() ([]view, error) {
	query, err := b.render("milestones", b)
	if err != nil {
		return nil, err
	}
	return []view{{
		Name:    "milestones",
		Comment: "What each account reached, and when it did so first: goals, value, the onboarding checklist, workflows (metrics.md row 13). A late or corrected event moves it, or takes it back.",
		Columns: []column{
			{"account_id", "String", "", "Account."},
			{"milestone", "LowCardinality(String)", "", "goal attained, first value, onboarding done or workflow completed."},
			{"name", "String", "", "The goal_id or the workflow; empty of the others."},
			{"reached_at", "DateTime64(3, 'UTC')", "", "When, in event time."},
		},
		Query: query,
	}}, nil
}
