package recount

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// maxRecord is the size in bytes past which a record is refused unread.
const maxRecord = 1 << 20

var (
	loginNames  = []string{"Signed In", "Logged In", "Login", "User Signed In"}
	logoutNames = []string{"Signed Out", "Logged Out"}
	errorNames  = []string{"$exception", "Error", "Error Occurred", "error"}

	trainingNames = []string{"Training Viewed", "Training Completed", "Course Completed", "Webinar Attended"}
)

// workflowSteps are the steps of each workflow.
var workflowSteps = map[string][]string{
	"report_published": {"Report Started", "Report Configured", "Report Published"},
}

// event is a telemetry record's content. Its fields are read by exact name:
// encoding/json would also take "TimeStamp" for "timestamp".
type event struct {
	kind, name                     string
	messageID                      string
	user                           string // "u:" or "a:" and the id; "" when there is none
	groupID, contextGroup, company string
	properties                     object
	at, received                   int64 // ms
}

type object map[string]json.RawMessage

// text reads a string field; absent and null are "".
func (o object) text(name string) (string, error) {
	var s *string
	if raw, ok := o[name]; ok {
		if err := json.Unmarshal(raw, &s); err != nil {
			return "", err
		}
	}
	if s == nil {
		return "", nil
	}
	return *s, nil
}

// texts reads several string fields.
func (o object) texts(fields map[string]*string) error {
	for name, to := range fields {
		s, err := o.text(name)
		if err != nil {
			return err
		}
		*to = s
	}
	return nil
}

// inner reads an object field; absent and null are an empty object.
func (o object) inner(name string) (object, error) {
	var inner object
	if raw, ok := o[name]; ok {
		if err := json.Unmarshal(raw, &inner); err != nil {
			return nil, err
		}
	}
	return inner, nil
}

// parseEvent reads a record as an event. The reason is empty, or that of the
// dead letter that the record is.
func (f *Fold) parseEvent(r Record) (e event, reason string) {
	if len(r.Value) > maxRecord {
		return e, "oversize"
	}
	var o object
	if err := json.Unmarshal(r.Value, &o); err != nil || o == nil {
		return e, "malformed"
	}
	var kind, action, name, title, userID, anonymousID string
	var times eventTimes
	if err := o.texts(map[string]*string{
		"type": &kind, "action": &action, "event": &name, "name": &title, "messageId": &e.messageID,
		"userId": &userID, "anonymousId": &anonymousID, "groupId": &e.groupID,
		"originalTimestamp": &times.original, "sentAt": &times.sent,
		"receivedAt": &times.received, "timestamp": &times.corrected,
	}); err != nil {
		return e, "malformed"
	}
	if err := e.readInner(o); err != nil {
		return e, "malformed"
	}
	e.kind, e.name = kind, name
	if e.kind == "" {
		e.kind = action
	}
	switch {
	case userID != "":
		e.user = "u:" + userID
	case anonymousID != "":
		e.user = "a:" + anonymousID
	}
	if reason := e.check(); reason != "" {
		return e, reason
	}
	if reason := e.setTimes(times, r.Time); reason != "" {
		return e, reason
	}
	return e, f.limits.checkAge(e.at, e.received)
}

// readInner reads what the event needs of its context, properties and traits.
func (e *event) readInner(o object) error {
	context, err := o.inner("context")
	if err != nil {
		return err
	}
	if e.contextGroup, err = context.text("groupId"); err != nil {
		return err
	}
	if e.properties, err = o.inner("properties"); err != nil {
		return err
	}
	traits, err := o.inner("traits")
	if err != nil {
		return err
	}
	if company, err := traits.inner("company"); err == nil {
		e.company, _ = company.text("id")
	}
	return nil
}

// feature is the feature that a track event names in the property; one of
// another type counts as none.
func (e *event) feature(property string) string {
	if e.kind != "track" {
		return ""
	}
	feature, _ := e.properties.text(property)
	return feature
}

// amount reads a number in [0, 2^53], rounded down; anything else is 0.
func amount(raw json.RawMessage) uint64 {
	var f float64
	if raw == nil || json.Unmarshal(raw, &f) != nil || f < 0 || f > 1<<53 {
		return 0
	}
	return uint64(f)
}

func (e *event) check() string {
	switch e.kind {
	case "":
		return "missing_type"
	case "track":
		if e.name == "" {
			return "missing_event"
		}
	case "page", "screen":
	case "identify", "group", "alias":
		if e.user == "" {
			return "missing_user"
		}
	default:
		return "unknown_type"
	}
	return ""
}

// eventTimes are the four times of a Segment message, as written.
type eventTimes struct{ original, sent, received, corrected string }

// setTimes works out event time and received time.
func (e *event) setTimes(t eventTimes, logTime int64) (reason string) {
	var err error
	e.received = logTime
	if t.received != "" {
		if e.received, err = millis(t.received); err != nil {
			return "bad_time"
		}
	}
	switch {
	case t.original != "" && t.sent != "" && t.received != "":
		original, err1 := millis(t.original)
		sent, err2 := millis(t.sent)
		if err1 != nil || err2 != nil {
			return "bad_time"
		}
		e.at = e.received - (sent - original)
	case t.corrected != "":
		e.at, err = millis(t.corrected)
	case t.original != "":
		e.at, err = millis(t.original)
	default:
		e.at = e.received
	}
	if err != nil {
		return "bad_time"
	}
	return ""
}

// telemetry counts an event, or keeps the account that it names for its user.
func (f *Fold) telemetry(r Record) Verdict {
	e, reason := f.parseEvent(r)
	if reason != "" {
		return refuse(reason)
	}
	v := Verdict{Kind: Applied, ID: e.messageID, Name: cmp.Or(e.name, e.kind), At: e.at}
	repeated := f.seen.repeated(e.messageID, r.Offset)
	account := f.accountOf(e)
	counts := e.kind == "track" || e.kind == "page" || e.kind == "screen"
	switch {
	case repeated:
		v.Kind = Duplicate
		if f.Repeats != nil && counts && account != "" {
			f.add(f.Repeats, e, account, r.Offset)
		}
	case e.kind == "alias", e.kind == "identify" && account == "":
		v.Kind = Filtered // nothing to count, whoever's it is
	case account == "":
		return refuse("no_account")
	case counts:
		f.add(f.sink, e, account, r.Offset)
	default:
		f.setAccount(xxhash.Sum64String(e.user), account, r.Offset)
	}
	return v
}

// accountOf is the account to count the event for, or to map its user to.
func (f *Fold) accountOf(e event) string {
	switch {
	case e.kind == "identify":
		return e.company
	case e.kind == "group" && e.groupID != "":
		return e.groupID
	case e.contextGroup != "" || e.kind == "group":
		return e.contextGroup
	case e.user == "":
		return ""
	}
	return f.users[xxhash.Sum64String(e.user)]
}

// setAccount maps a user; only what changes something is a row.
func (f *Fold) setAccount(user uint64, account string, offset int64) {
	if f.users[user] == account {
		return
	}
	f.users[user] = account
	f.sink.UserAccount(UserAccountKey{f.source, user, offset}, account)
}

// add counts a track, page or screen event.
func (f *Fold) add(to Sink, e event, account string, offset int64) {
	age := e.received - e.at
	feature := f.feature(e, account)
	for _, tier := range Tiers {
		if !f.limits.keeps(tier, age) {
			continue
		}
		w := window{to, CounterKey{Tier: tier, Account: account, Window: tier.Window(e.at), Source: f.source}, e.user, feature, offset}
		if f.opts.Rules == nil {
			w.addBuiltin(e)
		} else {
			w.add(f.opts.Rules, e)
		}
	}
	if e.user == "" {
		return
	}
	user := xxhash.Sum64String(e.user)
	if f.limits.keeps(Minute, age) {
		to.Visit(UserMinuteKey{Account: account, Minute: Minute.Window(e.at), User: user, Source: f.source}, e.at, offset)
	}
	if e.kind != "track" {
		return
	}
	steps := workflowSteps
	if f.opts.Rules != nil {
		steps = f.opts.Rules.Workflows
	}
	for workflow, steps := range steps {
		if slices.Contains(steps, e.name) {
			to.Fact(FactKey{Kind: "workflow", Account: account, Entity: workflow, At: e.at, Name: e.name,
				User: user, ID: factID(e.messageID, offset), Source: f.source}, Fact{Offset: offset})
		}
	}
}

// feature is the one that the event counts for: that which it names, unless
// the account has used as many others as it may on that day.
func (f *Fold) feature(e event, account string) string {
	property, counted := "feature", true
	if f.opts.Rules != nil {
		property, counted = f.opts.Rules.Feature, f.opts.Rules.countFeature(e)
	}
	name := e.feature(property)
	if len(name) > 256 {
		name = Other
	}
	if name == "" || name == Other || !counted || !f.limits.keeps(Day, e.received-e.at) {
		return name
	}
	day := accountDay{account, Day.Window(e.at)}
	used := f.features[day]
	if used == nil {
		used = map[string]bool{}
		f.features[day] = used
	}
	if !used[name] && len(used) >= f.limits.Features {
		return Other
	}
	used[name] = true
	return name
}

// accountDay is a day of an account.
type accountDay struct {
	account string
	day     int64
}

// window is one window of an account to which an event is added.
type window struct {
	to      Sink
	key     CounterKey
	user    string
	feature string
	offset  int64
}

func (w window) count(metric, feature string, n uint64) {
	w.key.Metric, w.key.Feature = metric, feature
	w.to.Count(w.key, n, w.offset)
}

func (w window) member(metric, feature string) {
	if w.user == "" {
		return
	}
	w.key.Metric, w.key.Feature = metric, feature
	w.to.Member(MemberKey{CounterKey: w.key, Member: xxhash.Sum64String(w.user)}, w.offset)
}

// addBuiltin counts the event by the built-in catalogue.
func (w window) addBuiltin(e event) {
	w.count("events", "", 1)
	w.member("users", "")
	if e.kind != "track" {
		w.count("page_views", "", 1)
		return
	}
	isError, isLogin := slices.Contains(errorNames, e.name), slices.Contains(loginNames, e.name)
	if isLogin {
		w.count("logins", "", 1)
	}
	if isError {
		w.count("errors", "", 1)
	}
	if slices.Contains(trainingNames, e.name) {
		w.member("training_users", "")
	}
	if !isError && !isLogin && !slices.Contains(logoutNames, e.name) {
		w.member("active_users", "")
	}
	switch feature := w.feature; {
	case feature == "":
	case isError:
		w.count("feature_errors", feature, 1)
	default:
		w.count("feature_uses", feature, 1)
		w.count("feature_duration_ms", feature, amount(e.properties["duration_ms"]))
		w.member("feature_users", feature)
	}
}

// With is the span stretched to an instant.
func (s Span) With(at int64) Span { return Span{min(s.First, at), max(s.Last, at)} }

// factID tells apart facts of the same time: by message id, else by offset.
func factID(id string, offset int64) uint64 {
	if id == "" {
		return uint64(offset) + 1 //nolint:gosec // an offset
	}
	return xxhash.Sum64String(id)
}
