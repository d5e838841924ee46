package notify

import (
	"context"
	"fmt"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	rows "github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/sinks/clickhouse"
)

// Delivery is a row of the view alert_deliveries.
type Delivery struct {
	Target    string     `json:"target"`
	ID        string     `json:"id"`
	MessageID string     `json:"message_id,omitempty"`
	AlertID   string     `json:"alert_id"`
	Kind      string     `json:"kind"`
	Rule      string     `json:"rule"`
	Account   string     `json:"account"`
	KnownAt   time.Time  `json:"known_at"`
	Outcome   string     `json:"outcome"`
	Attempts  uint16     `json:"attempts"`
	NextAt    *time.Time `json:"next_at,omitempty"`
	Status    uint16     `json:"status,omitempty"`
	Detail    string     `json:"detail,omitempty"`
}

// Fare is a row of the view alert_targets.
type Fare struct {
	Target        string     `json:"target"`
	Waiting       uint64     `json:"waiting"`
	OldestWaiting *time.Time `json:"oldest_waiting_at,omitempty"`
	Delivered     uint64     `json:"delivered"`
	LastDelivered *time.Time `json:"last_delivered_at,omitempty"`
	Dead          uint64     `json:"dead"`
	Disabled      bool       `json:"disabled,omitempty"`
	Reason        string     `json:"disabled_reason,omitempty"`
}

// Filter says which deliveries to list; what is empty says nothing.
type Filter struct {
	Selection
	Account, Rule string
	Outcomes      []string // as in the view
	Limit         int      // the latest ones
}

const (
	selectDeliveries = `SELECT target, id, message_id, alert_id, kind, rule, account_id, known_at, toString(outcome), attempts, next_at, status, detail
FROM alert_deliveries
WHERE ({target:String} = '' OR target = {target:String}) AND ({id:String} = '' OR {id:String} IN (id, message_id, alert_id))
	AND ({account:String} = '' OR account_id = {account:String}) AND ({rule:String} = '' OR rule = {rule:String})
	AND (empty({outcomes:Array(String)}) OR has({outcomes:Array(String)}, toString(outcome)))
ORDER BY known_at DESC, target, alert_id, seq DESC LIMIT {limit:UInt32}`
	selectFares = `SELECT target, waiting, oldest_waiting_at, delivered, last_delivered_at, dead, is_disabled, disabled_reason FROM alert_targets ORDER BY target`
)

// List returns the latest deliveries that pass the filter, newest first. The reader's rights suffice.
func List(ctx context.Context, c rows.Conn, f Filter) (all []Delivery, err error) {
	if f.Outcomes == nil {
		f.Outcomes = []string{}
	}
	err = clickhouse.Each(ctx, c, selectDeliveries, func(rows rows.Rows) error {
		var d Delivery
		err := rows.Scan(&d.Target, &d.ID, &d.MessageID, &d.AlertID, &d.Kind, &d.Rule, &d.Account, &d.KnownAt, &d.Outcome, &d.Attempts, &d.NextAt, &d.Status, &d.Detail)
		all = append(all, d)
		return err
	}, driver.Named("target", f.Target), driver.Named("id", f.ID), driver.Named("account", f.Account), driver.Named("rule", f.Rule),
		driver.Named("outcomes", f.Outcomes), driver.Named("limit", f.Limit))
	if err != nil {
		return nil, fmt.Errorf("list the deliveries: %w", err)
	}
	return all, nil
}

// Fares returns how each target fares. The reader's rights suffice.
func Fares(ctx context.Context, c rows.Conn) (all []Fare, err error) {
	err = clickhouse.Each(ctx, c, selectFares, func(rows rows.Rows) error {
		var f Fare
		err := rows.Scan(&f.Target, &f.Waiting, &f.OldestWaiting, &f.Delivered, &f.LastDelivered, &f.Dead, &f.Disabled, &f.Reason)
		all = append(all, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the targets: %w", err)
	}
	return all, nil
}
