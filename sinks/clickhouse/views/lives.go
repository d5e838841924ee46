package views

import "tidemark/schemas"

// TicketLives is the query of the life of each ticket, a row each, that the views of support are made of: account_id, entity, and
// when, in Unix ms, it was opened (is_opened, opened_ms), escalated, solved (solves) and reopened (reopenings).
func TicketLives(cat *schemas.Catalogue, o Options) (string, error) {
	b, err := newBuilder(cat, o)
	if err != nil {
		return "", err
	}
	return b.render("ticket_lives", b)
}
