package recount

import "slices"

const (
	// sessionGap is the pause, in ms, that ends a session.
	sessionGap = 30 * 60 * 1000
	// idleCap is the longest pause, in ms, that counts in full as active time.
	idleCap = 5 * 60 * 1000
)

// WindowKey is a window of an account, over all sources; Window is its start.
type WindowKey struct {
	Tier    Tier
	Account string
	Window  int64
}

// Use is what the users of an account did in a window: sessions that started
// in it and their length, and active time, which counts where each pause began.
type Use struct {
	Sessions  uint64
	SessionMS int64
	ActiveMS  int64
}

// Use works out sessions and active time in every window that has any.
func (r *Result) Use() map[WindowKey]Use {
	use := map[WindowKey]Use{}
	for user, visits := range r.visits {
		times := slices.Sorted(slices.Values(visits))
		start := times[0]
		for i, at := range times {
			last := i == len(times)-1
			if !last && times[i+1]-at < sessionGap {
				addUse(use, user.Account, at, Use{ActiveMS: min(times[i+1]-at, idleCap)})
				continue
			}
			addUse(use, user.Account, start, Use{Sessions: 1, SessionMS: at - start})
			if !last {
				start = times[i+1]
			}
		}
	}
	return use
}

func addUse(use map[WindowKey]Use, account string, at int64, more Use) {
	for _, tier := range Tiers {
		key := WindowKey{tier, account, tier.Window(at)}
		sum := use[key]
		sum.Sessions += more.Sessions
		sum.SessionMS += more.SessionMS
		sum.ActiveMS += more.ActiveMS
		use[key] = sum
	}
}
