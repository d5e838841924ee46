// Package enrich finds the account of an event that does not name it: the account that the same source's log last gave
// to the event's user, by a `group` call. What is known of the account itself (plan, seats, segment) is joined by the
// views, as of a window's end, because it may not change which row an event goes to.
package enrich

import "tidemark/sinks/clickhouse"

// maxKnown bounds the users in memory, at about 100 bytes each; past it all are forgotten and loaded again when needed.
const maxKnown = 1 << 20

// Users maps a source's users to accounts, as of the offset that the log has been read to.
type Users struct {
	source string
	known  map[uint64]string // "" = no account as yet
	all    bool              // known holds every mapping there is: nothing has to be loaded
}

// NewUsers returns an empty mapping. With fresh, the source has no rows, so that nobody has to be loaded.
func NewUsers(source string, fresh bool) *Users {
	return &Users{source: source, known: map[uint64]string{}, all: fresh}
}

// Account returns the account of the user, or "" where the log gave none. With ok = false the user has to be loaded first.
func (u *Users) Account(user uint64) (account string, ok bool) {
	account, ok = u.known[user]
	return account, ok || u.all
}

// Learn records that from offset on the user belongs to the account, and adds the row if that is news. It returns false,
// with nothing changed, when the user has to be loaded first.
func (u *Users) Learn(user uint64, account []byte, offset uint64, batch *clickhouse.Batch) bool {
	was, ok := u.Account(user)
	if !ok {
		return false
	}
	if was == string(account) {
		return true
	}
	u.known[user] = string(account)
	r := &batch.UserAccounts
	r.Source = append(r.Source, u.source)
	r.User = append(r.User, user)
	r.Offset = append(r.Offset, offset)
	r.AccountID = append(r.AccountID, u.known[user])
	return true
}

// Install adds users that were asked for, as of an offset that has not been folded yet; those without a row have no account.
func (u *Users) Install(users []uint64, accounts map[uint64]string) {
	for _, user := range users {
		if _, ok := u.known[user]; !ok {
			u.known[user] = accounts[user]
		}
	}
}

// Written says that every row added so far is in ClickHouse, so that mappings may be forgotten when they are too many.
func (u *Users) Written() {
	if len(u.known) > maxKnown {
		clear(u.known)
		u.all = false
	}
}
