package decode

import "bytes"

// clock reads times, most of which are of the same minute as the one before.
type clock struct {
	minute [len("2006-01-02T15:04")]byte // as it was written
	start  int64                         // Unix ms
}

// parse is parseTime.
func (c *clock) parse(b []byte) (ms int64, ok bool) {
	const form = "2006-01-02T15:04:05.000Z"
	if len(b) != len(form) || b[len(form)-1] != 'Z' || b[16] != ':' || b[19] != '.' {
		return parseTime(b)
	}
	if !bytes.Equal(b[:16], c.minute[:]) {
		if ms, ok = parseTime(b); ok {
			c.start = ms - ms%60_000
			if ms < 0 {
				return ms, ok // what is left of a minute before 1970 counts backwards
			}
			copy(c.minute[:], b)
		}
		return ms, ok
	}
	second, ok0 := number(b[17:19])
	fraction, ok1 := number(b[20:23])
	if !ok0 || !ok1 || second > 59 {
		return 0, false
	}
	return c.start + second*1000 + fraction, true
}

// parseTime reads an RFC 3339 time and returns it in Unix milliseconds; further digits are truncated towards the past.
// It takes what time.Parse(time.RFC3339Nano, …) takes of the strict form, without allocating.
func parseTime(b []byte) (ms int64, ok bool) {
	// 2006-01-02T15:04:05 is 19 bytes; then a fraction and Z or ±hh:mm.
	if len(b) < 20 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	year, ok0 := number(b[0:4])
	month, ok1 := number(b[5:7])
	day, ok2 := number(b[8:10])
	hour, ok3 := number(b[11:13])
	minute, ok4 := number(b[14:16])
	second, ok5 := number(b[17:19])
	if !(ok0 && ok1 && ok2 && ok3 && ok4 && ok5) ||
		month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	ms = (daysSinceEpoch(year, month, day)*86400 + hour*3600 + minute*60 + second) * 1000
	b = b[19:]
	if b[0] == '.' {
		n := 1
		scale := int64(100)
		for n < len(b) && '0' <= b[n] && b[n] <= '9' {
			ms += int64(b[n]-'0') * scale
			scale /= 10
			n++
		}
		if n == 1 || n == len(b) {
			return 0, false
		}
		b = b[n:]
	}
	if len(b) == 1 && b[0] == 'Z' {
		return ms, true
	}
	if len(b) != 6 || b[0] != '+' && b[0] != '-' || b[3] != ':' {
		return 0, false
	}
	oh, ok0 := number(b[1:3])
	om, ok1 := number(b[4:6])
	if !ok0 || !ok1 || oh > 24 || om > 60 { // the bounds of time.Parse
		return 0, false
	}
	offset := (oh*3600 + om*60) * 1000
	if b[0] == '+' {
		offset = -offset
	}
	return ms + offset, true
}

func number(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

func daysIn(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSinceEpoch counts days from 1970-01-01 in the proleptic Gregorian calendar
// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
func daysSinceEpoch(year, month, day int64) int64 {
	if month <= 2 {
		year--
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	yoe := year - era*400
	doy := (153*((month+9)%12)+2)/5 + day - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 719468
}
