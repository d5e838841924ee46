package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// story is how an account fares.
type story string

const (
	onboarding story = "onboarding"
	healthy    story = "healthy"
	growing    story = "growing"
	atRisk     story = "at_risk"
	churned    story = "churned"
	silent     story = "silent"
)

// stories are dealt out in turn, so that ten accounts show every story.
var stories = []story{healthy, growing, onboarding, healthy, atRisk, silent, healthy, churned, growing, healthy}

// activity is how busy the account is, 1 being its usual, when the share
// progress of the past has gone by; live traffic has a progress of 1.
func (s story) activity(progress float64) float64 {
	switch s {
	case growing:
		return 0.5 + 1.5*progress
	case onboarding:
		return math.Max(0, 2*progress-0.8) // nothing before it signed up
	case atRisk:
		return 1.2 - progress
	case churned:
		return math.Max(0, 1-2*progress)
	case silent:
		return 0
	default:
		return 1
	}
}

// failure is the share of errors among a user's actions.
func (s story) failure() float64 {
	if s == atRisk || s == churned {
		return 0.15
	}
	return 0.02
}

// ticketsADay is how many tickets the account opens on a busy day.
func (s story) ticketsADay() float64 {
	switch s {
	case atRisk, churned:
		return 0.8
	case onboarding:
		return 0.5
	case silent:
		return 0
	default:
		return 0.15
	}
}

type account struct {
	id, name      string
	story         story
	plan, segment string
	stage, owner  string
	seats, mrr    int
	created       time.Time
	renewal       time.Time

	zone          time.Duration // east of UTC
	opens, closes int           // working hours, local
	weekends      bool
	stamps        bool   // its SDK says the account in every event
	login         string // its SDK's name for signing in
	users         []*user
	introduced    bool // a group call with traits has been sent
}

var (
	firstWords  = []string{"Amber", "Bright", "Cedar", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Iron", "Juniper", "Kestrel", "Lumen", "Maple", "North", "Onyx", "Pine", "Quartz", "River", "Summit", "Tidal"}
	secondWords = []string{"Analytics", "Bakery", "Clinics", "Design", "Energy", "Foods", "Games", "Homes", "Insurance", "Journeys", "Kitchens", "Logistics", "Media", "Networks", "Optics", "Partners", "Robotics", "Studios", "Textiles", "Works"}
	plans       = []string{"team", "business", "enterprise"}
	segments    = []string{"smb", "mid-market", "enterprise"}
	owners      = []string{"ana", "ben", "chloe", "dev"}
	logins      = []string{"Signed In", "Signed In", "Signed In", "Logged In", "Login", "User Signed In"}
	zones       = []int{-8, -5, -3, 0, 1, 1, 2, 5, 8, 9, 11}
)

// newAccounts makes the plan's accounts and their users.
func newAccounts(plan Plan, r *rand.Rand) []*account {
	accounts := make([]*account, plan.Accounts)
	for i := range accounts {
		accounts[i] = newAccount(plan, r, i)
	}
	return accounts
}

func newAccount(plan Plan, r *rand.Rand, i int) *account {
	first, second := pick(r, firstWords), pick(r, secondWords)
	size := r.IntN(len(plans))
	a := &account{
		id: fmt.Sprintf("%s-%s-%04d", lower(first), lower(second), i), name: first + " " + second,
		story: stories[i%len(stories)], plan: plans[size], segment: segments[size], owner: pick(r, owners),
		seats: 5*(size+1) + r.IntN(10*(size+1)),
		zone:  time.Duration(pick(r, zones)) * time.Hour, opens: 8 + r.IntN(2), closes: 17 + r.IntN(3),
		weekends: chance(r, 0.2), stamps: chance(r, 0.4), login: pick(r, logins),
	}
	a.mrr = a.seats * 30
	a.stage = map[story]string{onboarding: "onboarding", growing: "expanding"}[a.story]
	if a.stage == "" {
		a.stage = "adopted"
	}
	past := plan.Start.Add(-plan.History)
	a.created = past.Add(-day(30 + r.Float64()*600)).Truncate(time.Second)
	if a.story == onboarding {
		a.created = past.Add(time.Duration(0.4 * float64(plan.History))).Truncate(time.Second)
	}
	a.renewal = plan.Start.Add(day(10 + r.Float64()*350)).Truncate(24 * time.Hour)
	for n := range 3 + a.seats*3/4 {
		a.users = append(a.users, newUser(r, a, n))
	}
	return a
}

// presence is the share of its usual traffic that the account has at that hour
// of its local day.
func (a *account) presence(at time.Time) float64 {
	local := at.Add(a.zone)
	hour := local.Hour()
	switch weekend := local.Weekday() == time.Saturday || local.Weekday() == time.Sunday; {
	case weekend && !a.weekends:
		return 0.02
	case hour >= a.opens && hour < a.closes:
		return 1
	case hour >= 7 && hour < 22:
		return 0.15
	default:
		return 0.01
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

// between is a length of time from low up to high.
func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)))
}

// howMany is a whole number with the given mean: it turns rates into counts.
func howMany(r *rand.Rand, mean float64) int {
	n := int(mean)
	if chance(r, mean-float64(n)) {
		n++
	}
	return n
}
