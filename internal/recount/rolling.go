package recount

// RollingKey is a period of Days UTC days of an account, of which Day is the
// start (Unix ms) of the last.
type RollingKey struct {
	Account string
	Day     int64
	Days    int
}

// Rolling is the use of an account over a period: distinct active users, and
// days with at least one.
type Rolling struct{ ActiveUsers, ActiveDays uint64 }

// Rolling works out the 7 and 28 days up to every day for which the period has
// any active user.
func (r *Result) Rolling() map[RollingKey]Rolling {
	users := map[RollingKey]map[uint64]bool{}
	active := map[RollingKey]map[int64]bool{}
	for m := range r.Members {
		if m.Tier != Day || m.Metric != "active_users" {
			continue
		}
		for _, days := range []int{7, 28} {
			for back := range days {
				key := RollingKey{m.Account, m.Window + int64(back)*Day.Size().Milliseconds(), days}
				if users[key] == nil {
					users[key], active[key] = map[uint64]bool{}, map[int64]bool{}
				}
				users[key][m.Member] = true
				active[key][m.Window] = true
			}
		}
	}
	rolling := map[RollingKey]Rolling{}
	for key := range users {
		rolling[key] = Rolling{uint64(len(users[key])), uint64(len(active[key]))}
	}
	return rolling
}
