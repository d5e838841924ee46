package views

import "fmt"

// issues are the views of what tickets are about again and again (metrics.md row 30).
func (b *builder) issues() ([]view, error) {
	var out []view
	for _, days := range []int64{7, 28} {
		for _, key := range []string{"", "segment", "account_id"} {
			name, of, keys := "issues", "over all accounts", []string{"tag"}
			switch key {
			case "segment":
				name, of, keys = "segment_issues", "in each segment", []string{key, "tag"}
			case "account_id":
				name, of, keys = "account_issues", "of each account", []string{key, "tag"}
			}
			columns := windowColumns(keys...)
			if key != "account_id" {
				columns = append(columns,
					column{"accounts", "UInt64", "accounts", "Accounts with such a ticket opened in the window."},
					column{"rank_by_accounts", "UInt64", "", "Place of the tag by accounts, from 1; equal ones share it."})
			}
			columns = append(columns,
				column{"tickets", "UInt64", "tickets", "Tickets with the tag that were opened in the window."},
				column{"rank_by_tickets", "UInt64", "", "Place of the tag by tickets, from 1; equal ones share it."},
				column{"escalated", "UInt64", "tickets", "Of those, tickets that were escalated at any time."},
				complete)
			v, err := b.simple(fmt.Sprintf("%s_%dd", name, days),
				fmt.Sprintf("Recurring issues %s: the tags of the tickets that were opened in the %d days (UTC) up to the end of every day (metrics.md row 30). Tags as last told; without tickets there is no row.", of, days),
				columns, "issues", struct {
					*builder
					Key  string
					Days int64
					Ages slice
				}{b, key, days, throughDays(b.everything())[0]})
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
	}
	return out, nil
}
