package simulate

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// user is a person, or a browser nobody has signed in with.
type user struct {
	account   *account
	id        string
	anonymous bool
	mobile    bool          // sends screens, and whole visits late
	skew      time.Duration // of the device's clock; 0 for most
	intro     intro

	seen    bool           // the introduction is in the stream
	known   bool           // the introduction has been sent,
	knownAt uint64         // as this message
	script  []action       // what the rest of this visit holds
	steps   map[int64]bool // times taken by workflow steps, to keep them apart
}

// intro is how the pipeline gets to know a user's account.
type intro uint8

const (
	byGroup    intro = iota // a group call, before the user's first event
	byLate                  // a group call, after some events, which are parked
	byCompany               // an identify call that names the company
	byEachCall              // every event says the account
)

func newUser(r *rand.Rand, a *account, n int) *user {
	u := &user{account: a, id: fmt.Sprintf("%s-u%d", a.id, n), steps: map[int64]bool{}}
	u.mobile = chance(r, 0.2)
	switch kind := r.Float64(); {
	case kind < 0.04:
		u.anonymous, u.intro = true, byEachCall
	case kind < 0.09:
		u.intro = byEachCall
		u.skew = between(r, time.Minute, 30*time.Hour)
		if chance(r, 0.5) {
			u.skew = -u.skew
		}
	case a.stamps:
		u.intro = byEachCall
	case kind < 0.16:
		u.intro = byLate
	case kind < 0.22:
		u.intro = byCompany
	}
	return u
}

// identity is the user as the contract counts users.
func (u *user) identity() string {
	if u.anonymous {
		return "a:" + u.id
	}
	return "u:" + u.id
}

// action is one thing a user does, with what it means.
type action struct {
	kind    string // track, page or screen
	name    string
	feature string
	took    string // duration_ms as JSON, "" for none

	duration uint64 // what took means
	login    bool
	logout   bool
	failed   bool
	step     int // of the workflow, from 1; 0 for none
}

// The product: its features with the event of each, its pages, its workflow.
var (
	features = []struct{ name, event string }{
		{"dashboards", "Dashboard Viewed"}, {"export", "Data Exported"}, {"alerts", "Alert Created"},
		{"sharing", "Link Shared"}, {"automation", "Rule Saved"}, {"import", "File Imported"},
		{"api_keys", "API Key Created"}, {"reports", "Report Opened"},
	}
	pages         = []string{"Home", "Dashboards", "Reports", "Settings", "Team", "Billing"}
	errorEvents   = []string{"$exception", "Error", "Error Occurred", "error"}
	logoutEvents  = []string{"Signed Out", "Logged Out"}
	workflowSteps = []string{"Report Started", "Report Configured", "Report Published"}
)

// next is the user's next action; a new visit begins when one is over.
func (u *user) next(r *rand.Rand) action {
	if len(u.script) == 0 {
		u.script = u.visit(r)
	}
	a := u.script[0]
	u.script = u.script[1:]
	return a
}

// visit is what the user does from signing in to leaving.
func (u *user) visit(r *rand.Rand) []action {
	var script []action
	if u.anonymous {
		for range 1 + r.IntN(4) {
			script = append(script, u.view(r))
		}
		return script
	}
	if chance(r, 0.8) {
		script = append(script, action{kind: "track", name: u.account.login, login: true})
	}
	for range 2 + r.IntN(8) {
		script = append(script, u.something(r))
	}
	if chance(r, 0.3) {
		script = u.workflow(r, script)
	}
	if chance(r, 0.3) {
		script = append(script, action{kind: "track", name: pick(r, logoutEvents), logout: true})
	}
	return script
}

// workflow adds the steps of a report, with other things in between. Not every
// report gets published.
func (u *user) workflow(r *rand.Rand, script []action) []action {
	steps := len(workflowSteps)
	if chance(r, 0.15+2*u.account.story.failure()) {
		steps = 1 + r.IntN(steps-1)
	}
	for i := range steps {
		step := action{kind: "track", name: workflowSteps[i], feature: "reports", step: i + 1}
		script = append(script, step)
		if chance(r, 0.4) {
			script = append(script, u.something(r))
		}
	}
	return script
}

// something is a view, a use of a feature or an error.
func (u *user) something(r *rand.Rand) action {
	if chance(r, u.account.story.failure()) {
		a := action{kind: "track", name: pick(r, errorEvents), failed: true}
		if chance(r, 0.7) {
			a.feature = pick(r, features).name
		}
		return a
	}
	if chance(r, 0.45) {
		return u.view(r)
	}
	f := features[min(r.IntN(len(features)), r.IntN(len(features)))] // the first ones are popular
	a := action{kind: "track", name: f.event, feature: f.name}
	a.took, a.duration = duration(r)
	return a
}

func (u *user) view(r *rand.Rand) action {
	if u.mobile {
		return action{kind: "screen", name: pick(r, pages)}
	}
	return action{kind: "page", name: pick(r, pages)}
}

// duration is a duration_ms property as clients write it, right or wrong, and
// what it counts as.
func duration(r *rand.Rand) (took string, counts uint64) {
	ms := 20 + r.Uint64N(5000)
	switch r.IntN(20) {
	case 0:
		return "", 0
	case 1:
		return strconv.Quote(strconv.FormatUint(ms, 10)), 0
	case 2:
		return "-" + strconv.FormatUint(ms, 10), 0
	case 3:
		return strconv.FormatUint(ms, 10) + ".75", ms
	default:
		return strconv.FormatUint(ms, 10), ms
	}
}

// reserve keeps the times of a user's workflow steps apart, so that their order
// is never a matter of taste.
func (u *user) reserve(at int64) int64 {
	for u.steps[at] {
		at++
	}
	u.steps[at] = true
	return at
}

func lower(s string) string { return strings.ToLower(s) }
