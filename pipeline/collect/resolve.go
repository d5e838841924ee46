package collect

import (
	"time"
)

// resolver finds the account of each message of a request, in order, and
// gathers what the request itself says about users and accounts: a group call
// counts for the messages after it, and for those before it of users that
// nothing was known of.
type resolver struct {
	known    func(user string) (membership, bool)
	received time.Time
	ignored  func(trait string)
	changes  changes
}

// resolve sets the account of every message that has one.
func (r *resolver) resolve(messages []*message) {
	r.changes = changes{users: map[string]membership{}, accounts: map[string]*accountChange{}}
	for _, m := range messages {
		r.learn(m)
		m.account = r.accountOf(m)
	}
	for _, m := range messages {
		if m.kind == typeAlias {
			r.learn(m) // what it links may have come to be known after it
		}
	}
	for _, m := range messages {
		if m.account == "" {
			m.account = r.accountOf(m)
		}
	}
}

// learn takes up what the message says about its user and account.
func (r *resolver) learn(m *message) {
	// A client's clock may be ahead; a future time would outrank all later calls.
	at := m.at
	if at.After(r.received) {
		at = r.received
	}
	switch {
	case m.kind == typeGroup:
		r.join(m.users(), m.groupID, at)
		r.describe(m.groupID, at, m.traits)
	case m.kind == typeIdentify && m.companyID != "":
		r.join(m.users(), m.companyID, at)
		r.describe(m.companyID, at, m.company)
	case m.kind == typeAlias:
		r.link(m, at)
	case m.joins:
		r.join(m.users(), m.contextID, at)
	}
}

// link gives both ids of an alias call the account that one of them has.
func (r *resolver) link(m *message, at time.Time) {
	previous := []string{userKey(m.previousID), anonymousKey(m.previousID)}
	old, now := r.first(previous), r.first(m.users())
	switch {
	case old != "" && now == "":
		r.join(m.users(), old, at)
	case old == "" && now != "":
		r.join(previous, now, at)
	}
}

// join maps the users to an account, unless a later call already said where
// they belong.
func (r *resolver) join(users []string, account string, at time.Time) {
	for _, user := range users {
		if current, ok := r.lookup(user); !ok || !at.Before(current.at) {
			r.changes.users[user] = membership{account: account, at: at}
		}
	}
}

func (r *resolver) describe(account string, at time.Time, traits object) {
	change := r.changes.accounts[account]
	if change == nil {
		change = &accountChange{patch: map[string]string{}}
		r.changes.accounts[account] = change
	}
	for name, v := range accountPatch(traits, r.ignored) {
		change.patch[name] = v
	}
	if at.After(change.at) {
		change.at = at
	}
}

func (r *resolver) accountOf(m *message) string {
	switch {
	case m.kind == typeGroup:
		return m.groupID
	case m.contextID != "":
		return m.contextID
	case m.companyID != "":
		return m.companyID
	}
	return r.first(m.users())
}

// first returns the account of the first user that has one.
func (r *resolver) first(users []string) string {
	for _, user := range users {
		if m, ok := r.lookup(user); ok {
			return m.account
		}
	}
	return ""
}

func (r *resolver) lookup(user string) (membership, bool) {
	if m, ok := r.changes.users[user]; ok {
		return m, true
	}
	return r.known(user)
}
