package views

import "tidemark/schemas"

// TicketLives is the query of the life of each ticket, a row each, that the views of support are made of, of the accounts in the
// parameter accounts, an Array(String): account_id, entity, and when, in Unix ms, it was opened (is_opened, opened_ms), escalated, solved (solves) and reopened (reopenings).
func TicketLives(cat *schemas.Catalogue, o Options) (string, error) {
	b, err := newBuilder(cat, o)
	if err != nil {
		return "", err
	}
	return b.render("ticket_lives", someAccounts{b})
}

// someAccounts are the templates' data where only the accounts in the parameter accounts are visible.
type someAccounts struct{ *builder }

// Visible is for the templates.
func (s someAccounts) Visible() string {
	return s.builder.Visible() + " AND account_id IN {accounts:Array(String)}"
}
