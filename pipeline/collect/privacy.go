package collect

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"tidemark/schemas/access"
)

// privacy is what is kept of the events of a source. A nil policy drops addresses and keeps all else.
type privacy struct {
	access.Policy
	key []byte // of hashes
}

// policies are by source.
type policies map[string]*privacy

func newPolicies(declared access.Policies, key []byte) policies {
	p := policies{}
	for name, policy := range declared {
		p[name] = &privacy{*policy, key}
	}
	return p
}

// addresses are members that hold the address of a user's device, whichever client they are from.
var addresses = []string{"ip", "$ip", "request_ip"}

// userIDs are the ids of a message's user, of which one is as good as the other: they are hashed together, as userId.
var userIDs = []string{"userId", "anonymousId", "previousId"}

// named are the members of a message that an allow-list keeps unasked, beside those parts whose members it names.
var named = append([]string{
	"type", "action", "event", "name", "category", "messageId", "groupId", "channel", "version",
	"timestamp", "originalTimestamp", "sentAt", "receivedAt",
}, userIDs...)

// messages takes out of messages what is not to be kept. It goes before ids are made and accounts are looked up, so that both know
// a user by the hash alone.
func (p *privacy) messages(messages []*message) *refusal {
	for i, m := range messages {
		if !p.applies(m.body) {
			continue
		}
		if r := p.message(m); r != nil {
			return r.at(i)
		}
		kept, r := readMessage(m.body, "")
		if r != nil {
			return r.at(i)
		}
		kept.joins, kept.waitsFor = m.joins, m.waitsFor
		if m.waitsFor != nil && p.hashesUsers() {
			kept.waitsFor = p.identities(m.waitsFor)
		}
		messages[i] = kept
	}
	return nil
}

func (p *privacy) hashesUsers() bool { return p != nil && slices.Contains(p.Hash, "userId") }

// applies says whether there is anything to do, at the cost of a look at the bytes.
func (p *privacy) applies(event object) bool {
	if p != nil && len(p.Allow)+len(p.Hash) > 0 {
		return true
	}
	if p != nil && p.KeepIP {
		return false
	}
	for _, m := range event {
		if slices.Contains(addresses, m.name) {
			return true
		}
		if slices.Contains(access.Open, m.name) && bytes.Contains(m.value, []byte(`ip"`)) {
			return true
		}
	}
	return false
}

func (p *privacy) message(m *message) *refusal {
	o := &m.body
	if p == nil || !p.KeepIP {
		o.removeAll(addresses)
	}
	if p != nil && len(p.Allow) > 0 {
		*o = slices.DeleteFunc(*o, func(m member) bool { return !slices.Contains(named, m.name) && !slices.Contains(access.Open, m.name) })
	}
	for _, part := range access.Open {
		if v := o.get(part); len(v) == 0 || v[0] != '{' {
			continue
		}
		inner, err := parseObject(o.get(part))
		if err != nil {
			return invalidObject(part, err)
		}
		if p == nil || !p.KeepIP {
			inner.removeAll(addresses)
		}
		if p != nil && len(p.Allow) > 0 {
			// Ids of accounts are kept as those of users are.
			if inner, err = keep(inner, below(append([]string{"context.groupId", "traits.company.id"}, p.Allow...), part)); err != nil {
				return invalidObject(part, err)
			}
		}
		o.set(part, inner.encode())
	}
	if p == nil {
		return nil
	}
	paths := p.Hash
	if p.hashesUsers() {
		paths = append(slices.Clone(paths), userIDs[1:]...)
		if m.waitsFor != nil {
			paths = append(paths, "properties.context_id") // whom a flag was evaluated for
		}
	}
	return p.hashed(o, paths)
}

// record hashes what the policy names of an event that is no message, whose fields are fixed.
func (p *privacy) record(o *object) *refusal {
	if p == nil {
		return nil
	}
	return p.hashed(o, p.Hash)
}

func (p *privacy) hashed(o *object, paths []string) *refusal {
	for _, path := range paths {
		if err := p.hash(o, path); err != nil {
			return invalidObject(path, err)
		}
	}
	return nil
}

func (o *object) removeAll(names []string) {
	for _, name := range names {
		o.remove(name)
	}
}

// below returns the rest of the paths that begin with part.
func below(paths []string, part string) (rest []string) {
	for _, path := range paths {
		if r, ok := strings.CutPrefix(path, part+"."); ok {
			rest = append(rest, r)
		}
	}
	return rest
}

// keep returns the object with those members only that a path names, or leads through.
func keep(o object, paths []string) (object, error) {
	kept := o[:0:0]
	for _, m := range o {
		if slices.Contains(paths, m.name) {
			kept = append(kept, m)
			continue
		}
		rest := below(paths, m.name)
		if len(rest) == 0 || m.value[0] != '{' {
			continue
		}
		inner, err := parseObject(m.value)
		if err != nil {
			return nil, err
		}
		if inner, err = keep(inner, rest); err != nil {
			return nil, err
		}
		m.value = inner.encode()
		kept = append(kept, m)
	}
	return kept, nil
}

// hash replaces the value at a path by its HMAC.
func (p *privacy) hash(o *object, path string) error {
	name, rest, nested := strings.Cut(path, ".")
	switch {
	case !o.has(name):
		return nil
	case !nested:
		o.set(name, p.digest(o.get(name)))
		return nil
	case o.get(name)[0] != '{':
		return nil
	}
	inner, err := parseObject(o.get(name))
	if err != nil {
		return err
	}
	if err := p.hash(&inner, rest); err != nil {
		return err
	}
	o.set(name, inner.encode())
	return nil
}

// digest is the HMAC of a value, a text's that of its characters, so that 7 and "7" are the same, as they are for ids.
func (p *privacy) digest(value []byte) []byte {
	text := string(value)
	if s, err := decodeString(value); value[0] == '"' && err == nil {
		text = s
	}
	if text == "" {
		return value
	}
	return encodeString(p.pseudonym(text))
}

func (p *privacy) pseudonym(text string) string {
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(text))
	return "h_" + hex.EncodeToString(mac.Sum(nil)[:16])
}

// identities hashes the users that an event waits for; organisations stay.
func (p *privacy) identities(waitsFor []string) []string {
	out := slices.Clone(waitsFor)
	for i, identity := range out {
		if prefix, id, ok := strings.Cut(identity, ":"); ok && (prefix == "u" || prefix == "a") {
			out[i] = prefix + ":" + p.pseudonym(id)
		}
	}
	return out
}
