package simulate

import (
	"fmt"
	"math"
	"time"
)

// signalOf is what a signal means: the kind and name of its fact.
type signalOf struct{ kind, name string }

// What each plan is entitled to, in gigabytes of storage.
var storageLimits = map[string]float64{"team": 100, "business": 500, "enterprise": 2000}

// zoneNames are the time zones that the accounts' offsets from UTC stand for.
var zoneNames = map[int]string{
	-8: "America/Los_Angeles", -5: "America/New_York", -3: "America/Sao_Paulo", 0: "UTC", 1: "Europe/Berlin", 2: "Europe/Athens",
	5: "Asia/Karachi", 8: "Asia/Singapore", 9: "Asia/Tokyo", 11: "Pacific/Noumea",
}

// signal queues a signal of the account, which is nil for a release.
func (g *Generator) signal(a *account, at time.Time, of signalOf, fields map[string]any) {
	m := Message{At: at.Add(delay(g.r)), Via: Signals, Key: "releases", Body: encode(fields), intent: intent{at: at.UnixMilli(), signal: &of}}
	if a != nil {
		m.Key, m.intent.account = a.id, a.id
	}
	g.push(m, nil)
}

// pastSignals queues what the account says of itself in an hour of the past: meters and the KPI of the day before once a
// day, and answers to surveys.
func (g *Generator) pastSignals(a *account, start, end time.Time, progress float64) {
	if start.Before(a.created) {
		return
	}
	switch start.Hour() {
	case 2:
		g.readMeters(a, start.Add(time.Minute), progress)
	case 6:
		g.reportKPI(a, start.Add(time.Minute), start.AddDate(0, 0, -1), progress)
	}
	for range howMany(g.r, end.Sub(start).Hours()*0.06*a.story.activity(progress)*a.presence(start)) {
		g.answer(a, start.Add(between(g.r, 0, end.Sub(start))), progress)
	}
}

// liveSignal queues one signal of the account, of any kind.
func (g *Generator) liveSignal(a *account, at time.Time) {
	switch p := g.r.Float64(); {
	case p < 0.5:
		g.answer(a, at, 1)
	case p < 0.9:
		g.readMeters(a, at, 1)
	case p < 0.98:
		g.reportKPI(a, at, at, 1) // the day so far, amended as it goes on
	default:
		g.release(at)
	}
}

// answer queues a user's answer to a survey: the worse the account fares, the worse.
func (g *Generator) answer(a *account, at time.Time, progress float64) {
	mood := math.Min(1, 0.25+0.6*a.story.activity(progress)) // 0 to 1
	if a.story == atRisk || a.story == churned {
		mood *= 0.6
	}
	score := func(low, high int) int {
		s := low + int(math.Round(float64(high-low)*mood+g.r.NormFloat64()*float64(high-low)/6))
		return min(max(s, low), high)
	}
	fields := map[string]any{"type": "survey.responded", "account_id": a.id, "user_id": pick(g.r, a.users).id,
		"response_id": g.id(), "responded_at": stamp(at.UnixMilli())}
	kind := pick(g.r, []string{"nps", "nps", "csat", "ces"})
	fields["kind"], fields["survey_id"] = kind, kind+"-2026"
	switch kind {
	case "nps":
		fields["score"] = score(0, 10)
	case "csat":
		fields["score"] = score(1, 5)
		if chance(g.r, 0.2) {
			fields["score"], fields["scale_min"], fields["scale_max"] = score(0, 1), 0, 1
		}
	default:
		fields["score"] = score(1, 7)
	}
	if chance(g.r, 0.2) {
		fields["comment"] = pick(g.r, []string{"Saves me an hour a day.", "The export keeps failing.", "Fine."})
	}
	g.signal(a, at, signalOf{"survey", kind}, fields)
}

// readMeters queues a reading of each of the account's meters. The limit of the second stands in its record.
func (g *Generator) readMeters(a *account, at time.Time, progress float64) {
	limit := storageLimits[a.plan]
	used := limit * (0.4 + 0.25*progress*a.story.activity(progress) + 0.02*g.r.Float64())
	for _, r := range []struct {
		meter string
		value float64
		limit float64
	}{{"storage_gb", math.Round(used*100) / 100, limit}, {"api_calls", math.Round(40_000 * a.story.activity(progress) * (0.8 + 0.4*g.r.Float64())), 0}} {
		fields := map[string]any{"type": "meter.reported", "meter": r.meter, "account_id": a.id, "value": r.value, "at": stamp(at.UnixMilli())}
		if r.limit > 0 {
			fields["limit"] = r.limit
		}
		g.signal(a, at, signalOf{"meter", "reported"}, fields)
	}
}

// reportKPI queues the account's own KPI of a day, which goes with how much it uses the product.
func (g *Generator) reportKPI(a *account, at, of time.Time, progress float64) {
	value := math.Min(0.99, 0.7+0.12*a.story.activity(progress)+0.03*g.r.NormFloat64())
	g.signal(a, at, signalOf{"kpi", "reported"}, map[string]any{"type": "kpi.reported", "kpi": "on_time_share", "account_id": a.id,
		"value": math.Round(value*10_000) / 10_000, "unit": "ratio", "period": of.Format(time.DateOnly), "reported_at": stamp(at.UnixMilli())})
}

// defineGoals queues what was agreed with the account: its KPI, and that its people use the product.
func (g *Generator) defineGoals(a *account, at time.Time) {
	starts, due := at.Truncate(24*time.Hour), at.Truncate(24*time.Hour).AddDate(0, 0, 60)
	for _, fields := range []map[string]any{
		{"goal_id": "on-time", "name": "Deliver on time", "kpi": "on_time_share", "start": 0.75, "target": 0.9},
		{"goal_id": "adoption", "name": "Half of the seats in use", "metric": "active_users", "start": 0, "target": (a.seats + 1) / 2},
	} {
		fields["type"], fields["account_id"], fields["owner"] = "goal.defined", a.id, a.owner
		fields["starts_at"], fields["due_at"], fields["defined_at"] = stamp(starts.UnixMilli()), stamp(due.UnixMilli()), stamp(at.UnixMilli())
		g.signal(a, at, signalOf{"goal", "defined"}, fields)
	}
}

// release queues a new version of the product.
func (g *Generator) release(at time.Time) {
	g.releases++
	fields := map[string]any{"type": "release.deployed", "version": fmt.Sprintf("4.%d.0", g.releases), "at": stamp(at.UnixMilli()), "notes": "Faster charts."}
	if chance(g.r, 0.2) {
		fields["segment"] = pick(g.r, segments)
	}
	g.signal(nil, at, signalOf{"release", "deployed"}, fields)
}
