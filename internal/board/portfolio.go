package board

import (
	"context"
	"time"
)

func portfolioPage() page {
	return page{
		path: "/{$}", title: "Portfolio", nav: "Portfolio",
		panels: []panel{{name: "accounts", title: "Accounts", load: portfolio, every: 5 * time.Second, wide: true, first: true}},
	}
}

func portfolio(ctx context.Context, s *store, q query) (content, error) {
	rows, err := read[struct {
		ID   string  `ch:"account_id"`
		Name *string `ch:"name"`
	}](ctx, s, "portfolio", nil)
	if err != nil {
		return nil, err
	}
	t := &Table{Caption: "Accounts", Columns: []Column{{Name: "account_id", Label: "Account"}}, Query: q}
	for _, r := range rows {
		t.Rows = append(t.Rows, []Cell{Link(r.ID, accountURL(r.ID))})
	}
	return t, nil
}
