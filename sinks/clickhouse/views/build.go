package views

import (
	"embed"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"

	"tidemark/schemas"
)

//go:embed sql/*.sql
var files embed.FS

// idleAfter is how long a source that is read to its end may have brought nothing before it counts as idle.
const idleAfter = 5 * time.Minute

// builder makes the queries of the views; the templates in sql/ read its fields and methods.
type builder struct {
	Options
	cat       *schemas.Catalogue
	templates *template.Template
	made      []view // so far
	refreshed []refreshed
}

// tier is a length of tumbling windows.
type tier struct {
	Name    string // as in the column tier
	Start   string // the function that rounds down to a window's start
	Seconds int64
	Horizon int64 // seconds back from now for which silent accounts have rows
	Slices  []slice
}

// Windows is how many windows lie within the horizon, the present one included.
func (t tier) Windows() int64 { return t.Horizon/t.Seconds + 1 }

// slice is a range of ages of windows, in windows before the current one: From <= age < To.
type slice struct{ From, To int64 }

const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
)

// tiers lists the window lengths. Their slices are explained in sql/user_events.sql.
func (b *builder) tiers() []tier {
	seconds := func(d time.Duration) int64 { return int64(d / time.Second) }
	return []tier{
		{"minute", "toStartOfMinute", minute, 1 * day, ages(minute, seconds(b.MinuteRetention), 1*day)},
		{"hour", "toStartOfHour", hour, 62 * day, ages(hour, seconds(b.HourRetention), 8*day, 64*day)},
		{"day", "toStartOfDay", day, 400 * day, ages(day, seconds(b.HourRetention), 8*day, 64*day)},
	}
}

// ages cuts the ages up to retention at the given ones, all in seconds, into slices of windows of the given size. The
// first one begins a day ahead of now, as clocks differ.
func ages(size, retention int64, cuts ...int64) []slice {
	var out []slice
	from := -day / size
	for _, age := range append(cuts, retention+31*day) { // parts are dropped whole, so rows may stay a month longer
		if to := age / size; to > from {
			out = append(out, slice{from, to})
			from = to
		}
	}
	return out
}

func build(cat *schemas.Catalogue, o Options) ([]view, error) {
	b, err := newBuilder(cat, o)
	if err == nil {
		err = b.build()
	}
	if err != nil {
		return nil, fmt.Errorf("views: %w", err)
	}
	return b.made, nil
}

func newBuilder(cat *schemas.Catalogue, o Options) (*builder, error) {
	if o.Database == "" {
		return nil, errors.New("no database given")
	}
	if cat.SessionGap < schemas.Duration(time.Minute) || cat.IdleCap < schemas.Duration(time.Minute) {
		return nil, errors.New("session_gap and idle_cap of the catalogue must be a minute at least: of a user's minute only the first and the last event are kept")
	}
	if o.Now == "" {
		o.Now = "now('UTC')"
	}
	b := &builder{Options: o, cat: cat}
	var err error
	b.templates, err = template.New("").Funcs(template.FuncMap{
		"str": Quote, "name": quoteName, "join": strings.Join, "spineFrom": spineFrom, "spineTo": spineTo,
	}).ParseFS(files, "sql/*.sql")
	return b, err
}

// build makes all views, in the order in which they read each other.
func (b *builder) build() error {
	for _, part := range []func() ([]view, error){
		b.accountHistory, b.accounts, b.completeness, b.usage, b.rollingUsage, b.segments, b.sessions,
		b.frequency, b.usagePattern, b.percentiles,
		b.sentiment, b.meters, b.kpis, b.releases,
		b.features, b.popularity, b.adoption, b.engagement, b.firstValue, b.onboarding, b.benchmarks, b.licences, b.quotas, b.churn, b.expansion, b.cohorts, b.issues, b.workflows, b.tickets, b.operations, b.alerts, b.deliveries, b.portfolio, b.portfolioNow, b.known, b.membership, b.metricTests,
		b.health,              // it reads the others
		b.goals, b.milestones, // they read health as well
	} {
		made, err := part()
		if err != nil {
			return err
		}
		b.made = append(b.made, made...)
	}
	return b.attributesOnly()
}

// DB is the quoted database, for the templates.
func (b *builder) DB() string { return quoteName(b.Database) }

// Visible is the condition that hides the accounts made up for self-tests.
func (b *builder) Visible() string { return "NOT startsWith(account_id, '_')" }

// SessionGap is the catalogue's, in milliseconds.
func (b *builder) SessionGap() int64 { return time.Duration(b.cat.SessionGap).Milliseconds() }

// IdleCap is the catalogue's, in milliseconds.
func (b *builder) IdleCap() int64 { return time.Duration(b.cat.IdleCap).Milliseconds() }

// render fills in a template of sql/, named without its ending.
func (b *builder) render(name string, data any) (string, error) {
	var out strings.Builder
	if err := b.templates.ExecuteTemplate(&out, name+".sql", data); err != nil {
		return "", err
	}
	return strings.TrimSpace(out.String()), nil
}

// rendered gives each view the query of the template of its name.
func (b *builder) rendered(all []view, data any) ([]view, error) {
	for i, v := range all {
		var err error
		if all[i].Query, err = b.render(v.Name, data); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Include renders another template inside one. Its lines are indented no further: nobody reads them but by SHOW CREATE,
// which formats them anew.
func (b *builder) Include(name string, data any) (string, error) { return b.render(name, data) }
