package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	rows "github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tidemark/sinks/clickhouse"
)

// store reads what one target is to be told, and keeps where that stands.
type store struct {
	*clickhouse.Client
	target string
}

const (
	// unsettled are the transitions for a target, known since a time, that are not settled.
	unsettled = `alert_transitions FINAL
WHERE has(targets, {target:String}) AND known_at >= fromUnixTimestamp64Milli({since:Int64}) AND id NOT IN (
	SELECT id FROM deliveries FINAL WHERE target = {target:String} AND outcome != 'pending' AND at >= fromUnixTimestamp64Milli({since:Int64}))`
	selectUnsettled = `SELECT id, alert_id, seq, kind, rule, account_id, severity, at, known_at, not_before FROM ` + unsettled
	// selectStanding are the rows of their alerts that matter: of what is on its way, and of what arrived.
	selectStanding = `SELECT id, alert_id, message_id, outcome = 'delivered', attempt, first_at, next_at, version FROM deliveries FINAL
WHERE target = {target:String} AND outcome IN ('pending', 'delivered') AND alert_id IN (SELECT alert_id FROM ` + unsettled + `)`
	selectVersions = `SELECT id, version FROM deliveries FINAL WHERE target = {target:String} AND alert_id IN {alerts:Array(String)} AND id IN {ids:Array(String)}`
	selectPayloads = `SELECT id, payload FROM alert_transitions FINAL
WHERE rule IN {rules:Array(String)} AND account_id IN {accounts:Array(String)} AND alert_id IN {alerts:Array(String)} AND id IN {ids:Array(String)}`
	selectDisabled = `SELECT reason FROM (SELECT argMax(delivery_targets.address, at) AS where, argMax(delivery_targets.disabled, at) AS gone, argMax(delivery_targets.reason, at) AS reason
FROM delivery_targets WHERE target = {target:String}) WHERE gone AND where IN ('', {address:String})`
	selectDead = `SELECT count() FROM deliveries FINAL WHERE target = {target:String} AND outcome = 'dead'`
	insertRows = `INSERT INTO deliveries (target, alert_id, id, message_id, outcome, attempt, first_at, at, next_at, status, detail, version)`
	// insertDisabled writes a row that holds over those there are, by whatever clock they were written.
	insertDisabled = `INSERT INTO delivery_targets (target, address, disabled, reason, at)
SELECT {target:String}, {address:String}, {disabled:Bool}, {reason:String}, greatest(fromUnixTimestamp64Milli({at:Int64}), max(at) + toIntervalMillisecond(1))
FROM delivery_targets WHERE target = {target:String}`
)

// since is the parameters of a query over what is known since a time.
func (s *store) since(since time.Time) []any {
	return []any{driver.Named("target", s.target), driver.Named("since", since.UnixMilli())}
}

// waiting returns what is known since a time and not settled, and the alerts among them of which something was delivered.
func (s *store) waiting(ctx context.Context, since time.Time) ([]item, map[string]bool, error) {
	ctx = s.LoadContext(ctx)
	standing, reached := map[string]*row{}, map[string]bool{}
	err := clickhouse.Each(ctx, s.Conn(), selectStanding, func(rows rows.Rows) error {
		r := row{Outcome: pending}
		var arrived bool
		var attempt uint16
		err := rows.Scan(&r.ID, &r.AlertID, &r.MessageID, &arrived, &attempt, &r.FirstAt, &r.NextAt, &r.Version)
		r.Attempt = int(attempt)
		if arrived {
			reached[r.AlertID] = true
		} else {
			standing[r.ID] = &r
		}
		return err
	}, s.since(since)...)
	if err != nil {
		return nil, nil, fmt.Errorf("read the deliveries to %s: %w", s.target, err)
	}
	var items []item
	err = clickhouse.Each(ctx, s.Conn(), selectUnsettled, func(rows rows.Rows) error {
		var n Notification
		var seq uint32
		err := rows.Scan(&n.ID, &n.AlertID, &seq, &n.Kind, &n.Rule, &n.Account, &n.Severity, &n.At, &n.KnownAt, &n.NotBefore)
		n.Seq = uint64(seq)
		items = append(items, item{n, standing[n.ID]})
		return err
	}, s.since(since)...)
	if err != nil {
		return nil, nil, fmt.Errorf("read the transitions for %s: %w", s.target, err)
	}
	return items, reached, nil
}

// current says whether the rows are of the versions that the table has: if not, somebody else has dealt with them. Version 0 is
// that there is none.
func (s *store) current(ctx context.Context, known []row) (bool, error) {
	alerts, ids := make([]string, len(known)), make([]string, len(known))
	for i, r := range known {
		alerts[i], ids[i] = r.AlertID, r.ID
	}
	versions := map[string]uint64{}
	err := clickhouse.Each(s.LoadContext(ctx), s.Conn(), selectVersions, func(rows rows.Rows) error {
		var id string
		var version uint64
		err := rows.Scan(&id, &version)
		versions[id] = version
		return err
	}, driver.Named("target", s.target), driver.Named("alerts", alerts), driver.Named("ids", ids))
	if err != nil {
		return false, fmt.Errorf("read the deliveries of %s and %d more to %s: %w", ids[0], len(ids)-1, s.target, err)
	}
	for _, r := range known {
		if versions[r.ID] != r.Version {
			return false, nil
		}
	}
	return true, nil
}

// messages returns what is sent. A digest has no payloads: it does without them.
func (s *store) messages(ctx context.Context, batch []*outgoing) ([]*Message, error) {
	messages := make([]*Message, len(batch))
	single := map[string]*Notification{}
	var rules, accounts, alerts, ids []string
	for i, out := range batch {
		m := &Message{ID: out.id}
		for _, e := range out.entries {
			m.Notifications = append(m.Notifications, e.Notification)
		}
		messages[i] = m
		if !m.Digest() {
			n := &m.Notifications[0]
			single[n.ID] = n
			rules, accounts, alerts, ids = append(rules, n.Rule), append(accounts, n.Account), append(alerts, n.AlertID), append(ids, n.ID)
		}
	}
	if len(ids) == 0 {
		return messages, nil
	}
	err := clickhouse.Each(s.LoadContext(ctx), s.Conn(), selectPayloads, func(rows rows.Rows) error {
		var id, payload string
		err := rows.Scan(&id, &payload)
		if n := single[id]; n != nil {
			n.Payload = json.RawMessage(payload)
		}
		return err
	}, driver.Named("rules", rules), driver.Named("accounts", accounts), driver.Named("alerts", alerts), driver.Named("ids", ids))
	if err != nil {
		return nil, fmt.Errorf("read the payloads of %s and %d more: %w", ids[0], len(ids)-1, err)
	}
	for _, n := range single {
		if n.Payload == nil { // its account was forgotten
			return nil, errConflict
		}
	}
	return messages, nil
}

// write inserts rows in one block.
func (s *store) write(ctx context.Context, all []row) error {
	batch, err := s.Conn().PrepareBatch(s.InsertContext(ctx), insertRows)
	if err != nil {
		return fmt.Errorf("write deliveries to %s: %w", s.target, err)
	}
	defer batch.Close() //nolint:errcheck // Send tells
	for _, r := range all {
		next := r.NextAt
		if next.IsZero() {
			next = time.Unix(0, 0)
		}
		err := batch.Append(s.target, r.AlertID, r.ID, r.MessageID, string(r.Outcome), uint16(r.Attempt), r.FirstAt, r.At, next, //nolint:gosec // at most 10
			uint16(r.Status), r.Detail, r.Version) //nolint:gosec // three digits
		if err != nil {
			return fmt.Errorf("write deliveries to %s: %w", s.target, err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write %d deliveries to %s: %w", len(all), s.target, err)
	}
	return nil
}

// gone returns why the target at the address takes no messages any more; empty: it does.
func (s *store) gone(ctx context.Context, address string) (reason string, err error) {
	err = clickhouse.Each(s.LoadContext(ctx), s.Conn(), selectDisabled, func(rows rows.Rows) error { return rows.Scan(&reason) },
		driver.Named("target", s.target), driver.Named("address", address))
	if err != nil {
		return "", fmt.Errorf("read whether %s is disabled: %w", s.target, err)
	}
	return reason, nil
}

// disable keeps that the target at the address takes no messages any more.
func (s *store) disable(ctx context.Context, address, reason string, now time.Time) error {
	return s.mark(ctx, address, true, reason, now)
}

// enable keeps that the target is sent to, wherever it is.
func (s *store) enable(ctx context.Context, now time.Time) error {
	return s.mark(ctx, "", false, "", now)
}

func (s *store) mark(ctx context.Context, address string, disabled bool, reason string, now time.Time) error {
	err := s.Conn().Exec(s.InsertContext(ctx), insertDisabled, driver.Named("target", s.target), driver.Named("address", address),
		driver.Named("disabled", disabled), driver.Named("reason", reason), driver.Named("at", now.UnixMilli()))
	if err != nil {
		return fmt.Errorf("keep whether %s is disabled: %w", s.target, err)
	}
	return nil
}

// dead counts what was given up.
func (s *store) dead(ctx context.Context) (n uint64, err error) {
	if err := s.Conn().QueryRow(s.LoadContext(ctx), selectDead, driver.Named("target", s.target)).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the dead deliveries to %s: %w", s.target, err)
	}
	return n, nil
}
