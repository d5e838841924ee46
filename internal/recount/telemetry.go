package recount

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
)

const (
	// dedupWindow is how many offsets back a repeated message id is found.
	dedupWindow = 131072
	// maxRecord is the size in bytes past which a record is refused unread.
	maxRecord = 1 << 20
	// maxAhead is how far, in ms, an event may be ahead of its reception.
	maxAhead = 10 * 60 * 1000
)

var (
	loginNames  = []string{"Signed In", "Logged In", "Login", "User Signed In"}
	logoutNames = []string{"Signed Out", "Logged Out"}
	errorNames  = []string{"$exception", "Error", "Error Occurred", "error"}
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
	feature                        string
	duration                       uint64 // ms
	at, received                   int64  // ms
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
func parseEvent(r record) (e event, reason string) {
	if len(r.value) > maxRecord {
		return e, "oversize"
	}
	var o object
	if err := json.Unmarshal(r.value, &o); err != nil || o == nil {
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
	return e, e.setTimes(times, r.time)
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
	properties, err := o.inner("properties")
	if err != nil {
		return err
	}
	// A feature or a duration of another type counts as none.
	e.feature, _ = properties.text("feature")
	e.duration = milliseconds(properties["duration_ms"])
	traits, err := o.inner("traits")
	if err != nil {
		return err
	}
	if company, err := traits.inner("company"); err == nil {
		e.company, _ = company.text("id")
	}
	return nil
}

// milliseconds reads a number in [0, 2^53], rounded down; anything else is 0.
func milliseconds(raw json.RawMessage) uint64 {
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
	return checkAge(e.at, e.received)
}

// millis parses an RFC 3339 time to Unix milliseconds, truncating.
func millis(s string) (int64, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, err
	}
	return t.UnixMilli(), nil
}

// checkAge refuses what is too far ahead, or older than the day tier keeps.
func checkAge(at, received int64) string {
	switch {
	case at > received+maxAhead:
		return "future"
	case received-at > Day.Retention().Milliseconds():
		return "too_old"
	}
	return ""
}

// recent tells whether an id was seen among the last dedupWindow offsets.
type recent map[string]int64

func (seen recent) repeated(id string, offset int64) bool {
	if id == "" {
		return false
	}
	before, ok := seen[id]
	seen[id] = offset
	return ok && offset-before <= dedupWindow
}

// telemetryFold counts one source of telemetry.
type telemetryFold struct {
	result *Result
	source string
	seen   recent
	users  map[string]string // user to account
}

func newTelemetryFold(r *Result, source string) *telemetryFold {
	return &telemetryFold{result: r, source: source, seen: recent{}, users: map[string]string{}}
}

func (f *telemetryFold) fold(r record) verdict {
	e, reason := parseEvent(r)
	if reason != "" {
		return refuse(reason)
	}
	if f.seen.repeated(e.messageID, r.offset) {
		return verdict{kind: duplicate}
	}
	account := f.account(e)
	switch {
	case e.kind == "alias", e.kind == "identify" && account == "":
		return verdict{kind: filtered} // nothing to count, whoever's it is
	case account == "":
		return refuse("no_account")
	case e.kind == "identify", e.kind == "group":
		f.setAccount(e.user, account, r.offset)
	default:
		f.add(e, account, r.offset)
	}
	return verdict{kind: applied}
}

// account is the one to count the event for, or to map its user to.
func (f *telemetryFold) account(e event) string {
	switch {
	case e.kind == "identify":
		return e.company
	case e.kind == "group" && e.groupID != "":
		return e.groupID
	case e.contextGroup != "" || e.kind == "group":
		return e.contextGroup
	}
	return f.users[e.user]
}

// setAccount maps a user; only what changes something is a row.
func (f *telemetryFold) setAccount(user, account string, offset int64) {
	if f.users[user] == account {
		return
	}
	f.users[user] = account
	f.result.UserAccounts[UserAccountKey{f.source, xxhash.Sum64String(user), offset}] = account
}

// add counts a track, page or screen event.
func (f *telemetryFold) add(e event, account string, offset int64) {
	for _, tier := range Tiers {
		if e.received-e.at <= tier.Retention().Milliseconds() {
			f.addWindow(e, CounterKey{Tier: tier, Account: account, Window: tier.Window(e.at), Source: f.source})
		}
	}
	if e.user == "" {
		return
	}
	user := xxhash.Sum64String(e.user)
	if e.received-e.at <= Minute.Retention().Milliseconds() {
		f.addVisit(AccountUser{account, user}, e.at)
	}
	if e.kind != "track" {
		return
	}
	for workflow, steps := range workflowSteps {
		if slices.Contains(steps, e.name) {
			key := FactKey{Kind: "workflow", Account: account, Entity: workflow, At: e.at, Name: e.name,
				User: user, ID: factID(e.messageID, offset), Source: f.source}
			f.result.Facts[key] = Fact{Offset: offset}
		}
	}
}

// addWindow counts the event in one window.
func (f *telemetryFold) addWindow(e event, window CounterKey) {
	count := func(metric, feature string, n uint64) {
		key := window
		key.Metric, key.Feature = metric, feature
		f.result.Counters[key] += n
	}
	member := func(metric, feature string) {
		if e.user == "" {
			return
		}
		key := MemberKey{CounterKey: window, Member: xxhash.Sum64String(e.user)}
		key.Metric, key.Feature = metric, feature
		f.result.Members[key] = struct{}{}
	}
	count("events", "", 1)
	member("users", "")
	if e.kind != "track" {
		count("page_views", "", 1)
		return
	}
	isError, isLogin := slices.Contains(errorNames, e.name), slices.Contains(loginNames, e.name)
	if isLogin {
		count("logins", "", 1)
	}
	if isError {
		count("errors", "", 1)
	}
	if !isError && !isLogin && !slices.Contains(logoutNames, e.name) {
		member("active_users", "")
	}
	switch {
	case e.feature == "":
	case isError:
		count("feature_errors", e.feature, 1)
	default:
		count("feature_uses", e.feature, 1)
		count("feature_duration_ms", e.feature, e.duration)
		member("feature_users", e.feature)
	}
}

func (f *telemetryFold) addVisit(u AccountUser, at int64) {
	f.result.visits[u] = append(f.result.visits[u], at)
	key := UserMinuteKey{Account: u.Account, Minute: Minute.Window(at), User: u.User, Source: f.source}
	span, ok := f.result.UserMinutes[key]
	if !ok {
		span = Span{at, at}
	}
	f.result.UserMinutes[key] = Span{min(span.First, at), max(span.Last, at)}
}

// factID tells apart facts of the same time: by message id, else by offset.
func factID(id string, offset int64) uint64 {
	if id == "" {
		return uint64(offset) + 1
	}
	return xxhash.Sum64String(id)
}
