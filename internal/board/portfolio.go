package board

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

func portfolioPage() page {
	return page{
		path: "/{$}", title: "Portfolio", nav: "Portfolio", filters: portfolioFilters,
		panels: []panel{{name: "accounts", load: portfolio, every: 5 * time.Second, wide: true, first: true}},
	}
}

// perPage is how many accounts a page has, and maxExport how many a CSV.
const perPage, maxExport = 50, 1_000_000

func portfolioFilters(ctx context.Context, s *store, q query) (*Filters, error) {
	rows, err := read[struct {
		Segments []string `ch:"segments"`
		Owners   []string `ch:"owners"`
	}](ctx, s, "portfolio_choices", nil)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return q.filters(q.search("q", "Account"), q.choice("segment", "Segment", known(rows[0].Segments)), q.choice("owner", "Owner", known(rows[0].Owners)),
		q.choice("health", "Health", []string{"good", "average", "poor"})), nil
}

func known(all []string) []string {
	if len(all) > 0 && all[0] == "" {
		return all[1:]
	}
	return all
}

// portfolioWhere is which accounts are meant, as a condition and its parameters.
func (q query) portfolioWhere() (string, []any) {
	where, params := []string{"true"}, []any{named("now", q.now)}
	for name, condition := range map[string]string{
		"q":       "(positionCaseInsensitiveUTF8(account_id, @q) > 0 OR positionCaseInsensitiveUTF8(ifNull(account_name, ''), @q) > 0)",
		"segment": "segment = @segment", "owner": "owner = @owner", "health": "health_band = @health",
	} {
		if v := q.get(name, ""); v != "" {
			where = append(where, condition)
			params = append(params, named(name, v))
		}
	}
	return "ifNull(" + strings.Join(where, " AND ") + ", false)", params
}

// standing is how an account stands, of portfolio_now: what a row of the portfolio and the account's own page show.
type standing struct {
	Name         string     `ch:"name"`
	Plan         string     `ch:"plan"`
	Segment      string     `ch:"segment"`
	Owner        string     `ch:"owner"`
	Seats        *uint64    `ch:"seats"`
	MRR          *float64   `ch:"mrr"`
	Renewal      *time.Time `ch:"renewal_at"`
	ActiveUsers  uint64     `ch:"active_users_28d"`
	Utilization  *float64   `ch:"seat_utilization"`
	Adoption     *float64   `ch:"adoption_breadth"`
	Open         uint64     `ch:"tickets_open"`
	Escalations  uint64     `ch:"escalations_30d"`
	Daily        []uint64   `ch:"events_28d_daily"`
	Trend        *float64   `ch:"events_7d_trend"`
	Health       *float64   `ch:"health_score"`
	Band         string     `ch:"health_band"`
	HealthChange *float64   `ch:"health_change_7d"`
	HealthReason string     `ch:"health_reason"`
	NPS          *float64   `ch:"nps_90d"`
	NPSAnswers   uint64     `ch:"nps_responses_90d"`
}

type portfolioRow struct {
	standing
	ID        string `ch:"account_id"`
	UnderUsed *bool  `ch:"is_under_used"`
	OpenGrave uint64 `ch:"tickets_open_p1_p2"`
}

type portfolioCount struct {
	Accounts   uint64     `ch:"accounts"`
	Found      uint64     `ch:"found"`
	ComputedAt *time.Time `ch:"computed_at"`
	Poor       uint64     `ch:"poor"`
	Renewals   uint64     `ch:"renewals"`
	MRR        float64    `ch:"mrr"`
	Tickets    uint64     `ch:"tickets"`
	Escalated  uint64     `ch:"escalated"`
}

func portfolio(ctx context.Context, s *store, q query) (content, error) {
	q.sortBy = "health"
	where, params := q.portfolioWhere()
	limit, offset := perPage, (q.page()-1)*perPage
	if q.all {
		limit, offset = maxExport, 0
	}
	order := q.orderBy(map[string]string{
		"account": "lower(if(name = '', account_id, name))", "health": "health_score", "change": "health_change_7d", "trend": "events_7d_trend", "users": "active_users_28d", "seats": "seats",
		"utilization": "seat_utilization", "adoption": "adoption_breadth", "tickets": "tickets_open", "escalations": "escalations_30d", "nps": "nps_90d", "renewal": "renewal_at",
		"mrr": "mrr", "segment": "segment", "owner": "owner",
	})
	both, ctx := errgroup.WithContext(ctx)
	var counts []portfolioCount
	both.Go(func() (err error) {
		counts, err = read[portfolioCount](ctx, s, "portfolio_count", params, "{where}", where)
		return err
	})
	var rows []portfolioRow
	both.Go(func() (err error) {
		rows, err = read[portfolioRow](ctx, s, "portfolio", append(slices.Clone(params), named("limit", limit), named("offset", offset)), "{where}", where, "{order}", order)
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	count := counts[0]
	if count.Accounts == 0 {
		return Message{"The first figures come within a minute", "The portfolio is computed anew every minute, and has not been since accounts became known. If that lasts: is tidemark run running, and does it receive anything?"}, nil
	}
	t := &Table{
		Caption: fmt.Sprintf("Accounts, sorted by %s", strings.TrimPrefix(q.get("sort", q.sortBy), "-")), Query: q, Total: count.Found, PerPage: perPage, Page: q.page(), Columns: portfolioColumns(),
		Empty: "No account is like that. Reset the filters to see all.",
	}
	for i := range rows {
		t.Rows = append(t.Rows, rows[i].cells(q))
	}
	head := Figures{
		{Label: "Accounts", Value: Num(Number, count.Found)},
		{Label: "In poor health", Value: Num(Number, count.Poor), State: mark(count.Poor > 0, "bad")},
		{Label: "Renewals", Value: Num(Number, count.Renewals), Note: "in the next 90 days"},
		{Label: "Monthly revenue", Value: Num(Number, count.MRR)},
		{Label: "Open tickets", Value: Num(Number, count.Tickets)},
		{Label: "Escalated", Value: Num(Number, count.Escalated), Note: "accounts, in 30 days", State: mark(count.Escalated > 0, "warn")},
		{Label: "As of", Value: MaybeAt(Clock, count.ComputedAt)},
	}
	return Stack{head, t}, nil
}

// mark is a state where it is the case.
func mark(is bool, state string) string {
	if is {
		return state
	}
	return ""
}

func portfolioColumns() []Column {
	return []Column{
		{Name: "account", Label: "Account", Sort: true},
		{Name: "health", Label: "Health", Kind: Number, Sort: true, Help: "Score of the latest complete day, 0 to 100"},
		{Name: "change", Label: "7 days", Kind: Number, Sort: true, Help: "How the score changed in 7 days"},
		{Name: "trend", Label: "Events, 28 days", Kind: Percent, Sort: true, Help: "Events of each day; the last 7 days against the 7 before"},
		{Name: "users", Label: "Active users", Kind: Number, Sort: true, Help: "Distinct users with an engaged event in 28 days"},
		{Name: "seats", Label: "Seats", Kind: Number, Sort: true},
		{Name: "utilization", Label: "Of seats", Kind: Percent, Sort: true},
		{Name: "adoption", Label: "Adoption", Kind: Percent, Sort: true, Help: "Key features adopted, of those that the plan includes"},
		{Name: "tickets", Label: "Open tickets", Kind: Number, Sort: true},
		{Name: "escalations", Label: "Escalated", Kind: Number, Sort: true, Help: "Tickets that were escalated in the last 30 days"},
		{Name: "nps", Label: "NPS", Kind: Number, Sort: true, Help: "Net promoter score of the last 90 days"},
		{Name: "renewal", Label: "Renewal", Kind: Ago, Sort: true},
		{Name: "mrr", Label: "MRR", Kind: Number, Sort: true},
		{Name: "segment", Label: "Segment", Sort: true},
		{Name: "owner", Label: "Owner", Sort: true},
	}
}

func (r *portfolioRow) cells(q query) []Cell {
	account := Link(r.Name, accountURL(r.ID))
	account.Note = r.ID
	if r.Name == "" {
		account = Link(r.ID, accountURL(r.ID))
	}
	health := Maybe(Number, r.Health)
	health.State, health.Title = healthBands[r.Band], r.HealthReason
	change := Maybe(Number, r.HealthChange)
	change.Signed = true
	trend := Maybe(Percent, r.Trend)
	trend.Before, trend.Signed = spark(r.Daily), true
	use := Maybe(Percent, r.Utilization)
	use.Bar = r.Utilization
	if r.UnderUsed != nil && *r.UnderUsed {
		use.State = "warn"
	}
	adoption := Maybe(Percent, r.Adoption)
	adoption.Bar = r.Adoption
	open, escalated := Num(Number, r.Open), Num(Number, r.Escalations)
	open.State, escalated.State = mark(r.OpenGrave > 0, "warn"), mark(r.Escalations > 0, "bad")
	renewal := MaybeAt(Ago, r.Renewal)
	if r.Renewal != nil && r.Renewal.Before(q.now.AddDate(0, 0, 30)) {
		renewal.State = "warn"
	}
	return []Cell{
		account, health, change, trend, Num(Number, r.ActiveUsers), Maybe(Number, r.Seats), use, adoption, open, escalated,
		Maybe(Number, r.NPS), renewal, Maybe(Number, r.MRR), Text(r.Segment), Text(r.Owner),
	}
}
