package decode

import "tidemark/schemas"

// Account is one record of the account dimension: the attributes it names, from a time on.
type Account struct {
	ID         string
	ValidFrom  int64 // Unix ms
	Deleted    bool
	Attributes map[string]string // numbers and arrays as written; nested objects flattened with dots (external_ids.zendesk)
}

// maxNesting is how deep an account's attributes may be nested: a name below it holds those above.
const maxNesting = 16

// The times that ClickHouse's DateTime64 can hold, in Unix ms.
const (
	firstTime = -2_208_988_800_000 // 1900-01-01T00:00:00Z
	lastTime  = 9_214_646_400_000  // 2262-01-01T00:00:00Z, which it does not hold
)

// Storable returns the time, in Unix ms, that is nearest to another and can be stored. A record's timestamp may be any number.
func Storable(ms int64) int64 { return min(max(ms, firstTime), lastTime-1) }

// DecodeAccount reads an account record: a JSON object; or an empty value (a tombstone) or "deleted": true for an account removed.
// recordTime, in Unix ms, dates a record without `at`.
func DecodeAccount(key, value []byte, recordTime int64) (*Account, *Rejection) {
	if len(value) > MaxValue {
		return nil, reject(schemas.Oversize, "%d bytes, at most %d are taken", len(value), MaxValue)
	}
	a := &Account{ID: string(key), ValidFrom: recordTime}
	if len(value) == 0 {
		if a.ID == "" {
			return nil, reject(schemas.MissingField, "a tombstone needs the account's id as its key")
		}
		a.Deleted = true
		return a, a.checkTime()
	}
	s := accountScan{scanner: scanner{b: value}, attributes: map[string]string{}}
	s.members("", 1)
	if s.end(); s.bad {
		return nil, malformed(value, s.i, "an account record must be one JSON object: it is broken")
	}
	if s.id != "" {
		a.ID = s.id
	}
	if a.ID == "" {
		return nil, reject(schemas.MissingField, "an account record needs account_id, or the account's id as its key").named("account_id")
	}
	if s.dated {
		var ok bool
		if a.ValidFrom, ok = parseTime(s.at); !ok {
			return nil, reject(schemas.BadTime, "at %.60q is not an RFC 3339 time", s.at).named("at")
		}
	}
	if rej := a.checkTime(); rej != nil {
		return nil, rej
	}
	switch {
	case s.deep:
		return nil, reject(schemas.Malformed, "attributes are nested more than %d deep", maxNesting)
	case s.size > MaxValue:
		return nil, reject(schemas.Oversize, "the attributes, each by its whole dotted name, take %d bytes or more, at most %d are taken", s.size, MaxValue)
	}
	if s.deleted {
		a.Deleted = true
		return a, nil
	}
	a.Attributes = s.attributes
	return a, nil
}

func (a *Account) checkTime() *Rejection {
	if a.ValidFrom < firstTime || a.ValidFrom >= lastTime {
		return reject(schemas.BadTime, "the time from which the record is valid is not between the years 1900 and 2261, which can be stored")
	}
	return nil
}

// accountScan gathers what an account record says.
type accountScan struct {
	scanner
	id         string
	at         []byte
	dated      bool
	attributes map[string]string
	size       int  // of the attributes, names included: nesting can make it far larger than the record
	deep       bool // they are nested too deep
	deleted    bool // the record removes the account
}

// members reads an object that stands in depth-1 others. Null clears an attribute: it is written as the empty string.
func (s *accountScan) members(prefix string, depth int) {
	for more := s.object(); more; more = s.member() {
		key := s.key()
		switch c := s.next(); {
		case depth == 1 && string(key) == "account_id":
			if c == '"' {
				s.id = string(s.string())
			} else {
				s.skip(depth)
			}
		case depth == 1 && string(key) == "at":
			if c == '"' {
				s.at, s.dated = s.string(), true
			} else {
				s.dated = c != 'n'
				s.skip(depth)
			}
		case c == '{' && depth < maxNesting:
			s.members(prefix+string(key)+".", depth+1)
		case c == '{':
			s.deep = true
			s.skip(depth)
		default:
			if depth == 1 && string(key) == "deleted" {
				s.deleted = c == 't'
			}
			s.add(prefix, key, s.scalar(depth))
		}
	}
}

// scalar returns a string's content, and another value but null as it is written.
func (s *accountScan) scalar(depth int) []byte {
	if c := s.next(); c == '"' || c == 'n' {
		return s.text()
	}
	start := s.i
	s.skip(depth)
	return s.b[start:s.i]
}

// add keeps an attribute, unless there are too many already.
func (s *accountScan) add(prefix string, key, value []byte) {
	if s.size += len(prefix) + len(key) + len(value); !s.bad && s.size <= MaxValue {
		s.attributes[prefix+string(key)] = string(value)
	}
}
