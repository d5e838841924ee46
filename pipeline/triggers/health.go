package triggers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/schemas"
	sink "tidemark/sinks/clickhouse"
)

// component is what one component gave to the health that an alert was judged by.
type component struct {
	Name         string   `json:"component"`
	Value        string   `json:"value"`            // as the view shows it; empty: unknown
	Points       *float64 `json:"points"`           // 0 to 100; null: unknown
	Contribution *float64 `json:"contribution"`     // its part in the score
	Delta        *float64 `json:"delta"`            // that, less its part the day before
	Reason       string   `json:"reason,omitempty"` // delta in words
}

// healthDay is the day of health that a rule was judged by as of an instant; false: it reads none.
func (r *reign) healthDay(p *program, at time.Time) (time.Time, bool) {
	const day = 24 * time.Hour
	for _, n := range p.reads {
		in := r.inputs[n]
		if family := schemas.Family(in.View); family != "health" && family != "health_components" {
			continue
		}
		if !in.windowed() { // the latest day that is complete
			if len(r.complete) == 0 {
				return time.Time{}, false
			}
			return slices.MinFunc(slices.Collect(maps.Values(r.complete)), time.Time.Compare).Truncate(day).Add(-day), true
		}
		in.Back = 0
		return in.WindowEnd(at).Add(-day), true
	}
	return time.Time{}, false
}

// components adds to the evidence of what is told by rules that read health what its components gave, those that gave most first.
func (r *reign) components(ctx context.Context, told []change) error {
	days := map[time.Time]map[string][]*evidence{} // by account
	for _, c := range told {
		if day, ok := r.healthDay(c.program, c.at); ok {
			if days[day] == nil {
				days[day] = map[string][]*evidence{}
			}
			days[day][c.account] = append(days[day][c.account], c.evidence)
		}
	}
	for day, of := range days {
		for accounts := range slices.Chunk(slices.Sorted(maps.Keys(of)), part) {
			query := fmt.Sprintf(`SELECT account_id, component, shown, points, contribution, delta, reason FROM health_components_day
WHERE account_id IN {accounts:Array(String)} AND window_start = %s ORDER BY account_id, contribution DESC, component`, moment(day))
			err := sink.Each(r.Client.LoadContext(ctx), r.Client.Conn(), query, func(rows driver.Rows) error {
				var account string
				var c component
				err := rows.Scan(&account, &c.Name, &c.Value, &c.Points, &c.Contribution, &c.Delta, &c.Reason)
				for _, e := range of[account] {
					e.Health = append(e.Health, c)
				}
				return err
			}, named("accounts", accounts))
			if err != nil {
				return fmt.Errorf("read what the health of %d accounts is made of: %w", len(accounts), err)
			}
		}
	}
	return nil
}
