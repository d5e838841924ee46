package decode

const dayMS = 86_400_000

// parsePeriod reads 2026, 2026-Q1, 2026-03, 2026-W10 or 2026-03-01 and returns its bounds in UTC, [start, end), in Unix ms.
func parsePeriod(b []byte) (start, end int64, ok bool) {
	if len(b) < 4 || len(b) > 4 && b[4] != '-' {
		return 0, 0, false
	}
	year, isYear := number(b[:4])
	rest := b[4:]
	if len(rest) > 0 {
		rest = rest[1:]
	}
	var first, next int64 // days since 1970
	switch {
	case len(b) == 4:
		first, next, ok = months(year, 1, 12)
	case len(rest) == 2 && rest[0] == 'Q':
		n, isNumber := number(rest[1:])
		first, next, ok = months(year, 3*n-2, 3)
		ok = ok && isNumber
	case len(rest) == 2:
		n, isNumber := number(rest)
		first, next, ok = months(year, n, 1)
		ok = ok && isNumber
	case len(rest) == 3 && rest[0] == 'W':
		n, isNumber := number(rest[1:])
		first, next, ok = week(year, n)
		ok = ok && isNumber
	case len(b) == len("2006-01-02"):
		start, ok = parseTime(append(b[:len(b):len(b)], "T00:00:00Z"...))
		first, next = start/dayMS, start/dayMS+1
	}
	start, end = first*dayMS, next*dayMS
	return start, end, ok && isYear && start >= firstTime && end < lastTime
}

// months returns the days on which count months from a month on begin, and the day after them.
func months(year, month, count int64) (first, next int64, ok bool) {
	if month < 1 || month > 12 {
		return 0, 0, false
	}
	after := month + count
	return daysSinceEpoch(year, month, 1), daysSinceEpoch(year+(after-1)/12, (after-1)%12+1, 1), true
}

// week returns the Monday of an ISO week and the next one. The first week of a year is that of January 4; the last one has
// its Thursday in the year.
func week(year, n int64) (monday, next int64, ok bool) {
	monday = daysSinceEpoch(year, 1, 4)
	monday -= ((monday+3)%7 + 7) % 7 // 1970-01-01 was a Thursday
	monday += 7 * (n - 1)
	return monday, monday + 7, n >= 1 && monday+3 < daysSinceEpoch(year+1, 1, 1)
}
