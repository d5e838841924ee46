package decode

// clock reads times, most of which are of the same day as the one before.
type clock struct {
	month uint64 // "2006-01-" of that day, as a word
	day   uint64 // "02T00:00" of it
	start int64  // Unix ms
}

func newClock() clock {
	const epoch = "1970-01-01T00:00"
	return clock{word([]byte(epoch)), word([]byte(epoch[8:])), 0}
}

// read reads a string of the form "2006-01-02T15:04:05.000Z" that is a time of the same day as the one before: three words,
// in which all digits are looked at together. For anything else it returns 0.
func (c *clock) read(d document, i int) (ms int64, end int) {
	const (
		// Added to a word, they set the high bit of a byte that is more than 9 where it is to be a digit, or else than 0.
		digitsOfMinute = 0x76_76_7f_76_76_7f_7f_7f
		digitsOfSecond = 0x7f_76_76_76_7f_76_76_7f
		zeroSeconds    = 0x5a_30_30_30_2e_30_30_3a // ":00.000Z"
	)
	if i < 0 || i >= len(d)-26 || d[i] != '"' || d[i+25] != '"' {
		return 0, i
	}
	minutes, seconds := word(d[i+9:])^c.day, word(d[i+17:])^zeroSeconds
	odd := (minutes | (minutes + digitsOfMinute) | seconds | (seconds + digitsOfSecond)) & highs
	if word(d[i+1:])^c.month|odd != 0 {
		return 0, i
	}
	// Two digits beside each other become one number, in the byte of the first.
	minutes10, seconds10 := minutes*10+minutes>>8, seconds*10+seconds>>8
	hour, minute, second := minutes10>>24&0xff, minutes10>>48&0xff, seconds10>>8&0xff
	if hour > 23 || minute > 59 || second > 59 {
		return 0, i
	}
	fraction := seconds10>>32&0xff*10 + seconds>>48&0xff
	return c.start + int64(hour*3_600_000+minute*60_000+second*1000+fraction), i + 26
}

// parse is parseTime. It remembers the day.
func (c *clock) parse(b []byte) (ms int64, ok bool) {
	if ms, ok = parseTime(b); ok && ms >= 0 && len(b) == len("2006-01-02T15:04:05.000Z") && b[19] == '.' {
		c.month = word(b)
		c.day = word(append(b[8:11:11], "00:00"...))
		c.start = ms - ms%86_400_000
	}
	return ms, ok
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
