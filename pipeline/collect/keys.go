package collect

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"tidemark/schemas/access"
	"tidemark/schemas/secret"
)

// parkedSource is the scope of a key that may list what waits; no key has it unless it is named.
const parkedSource = "parked"

// reloadEvery is how often files of keys are looked at.
const reloadEvery = time.Second

// writeKey is a key and what may be done with it. One of write_keys has no name, and may do everything.
type writeKey struct {
	name    string
	scope   access.Key
	secrets func() ([]string, error) // those of now
	limiter *rate.Limiter            // nil = no limit
	digests [][sha256.Size]byte
}

// keyring knows all keys. The time is always told to it.
type keyring struct {
	log *zap.Logger

	mu     sync.Mutex
	keys   []*writeKey
	looked time.Time // when the files were read last
}

func newKeyring(plain []secret.Secret, scoped access.Keys, log *zap.Logger) (*keyring, error) {
	k := &keyring{log: log}
	if len(plain) > 0 {
		k.keys = append(k.keys, &writeKey{secrets: func() ([]string, error) { return lines(plain) }})
	}
	for _, name := range slices.Sorted(maps.Keys(scoped)) {
		key := &writeKey{name: name, scope: *scoped[name]}
		key.secrets = key.scope.Secrets
		if r := key.scope.Rate; r.Burst > 0 {
			key.limiter = rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst)
		}
		k.keys = append(k.keys, key)
	}
	for _, key := range k.keys {
		if err := key.load(); err != nil {
			return nil, fmt.Errorf("the write key %s: %w", key.name, err)
		}
	}
	return k, nil
}

// lines are the keys of write_keys: each secret is one, or a file with one a line.
func lines(secrets []secret.Secret) (keys []string, err error) {
	for _, s := range secrets {
		for line := range strings.Lines(s.Reveal()) {
			if line = strings.TrimSpace(line); line != "" {
				keys = append(keys, line)
			}
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("write_keys_file holds no key: write one into it, one a line")
	}
	return keys, nil
}

// load takes what its secrets are now, all or none.
func (w *writeKey) load() error {
	secrets, err := w.secrets()
	if err != nil {
		return err
	}
	w.digests = w.digests[:0]
	for _, s := range secrets {
		w.digests = append(w.digests, sha256.Sum256([]byte(s)))
	}
	return nil
}

// reload reads the files of keys again. What a key's file held counts on while it cannot be read, or is empty.
func (k *keyring) reload(now time.Time) {
	if now.Sub(k.looked) < reloadEvery {
		return
	}
	k.looked = now
	for _, key := range k.keys {
		if err := key.load(); err != nil {
			k.log.Warn("the file of a write key cannot be read: what it held before counts on", zap.String("key", key.name), zap.Error(err))
		}
	}
}

// find returns the key that a client sent, nil if none is that. It compares digests, each with each, in constant time.
func (k *keyring) find(sent string, now time.Time) *writeKey {
	sum := sha256.Sum256([]byte(sent))
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reload(now)
	var found *writeKey
	for _, key := range k.keys {
		for _, digest := range key.digests {
			if subtle.ConstantTimeCompare(sum[:], digest[:]) == 1 && found == nil {
				found = key
			}
		}
	}
	return found
}

// open says that no keys are configured: then anybody may send.
func (k *keyring) open() bool { return len(k.keys) == 0 }

// identify returns the key of a request, nil where none is needed, or why it is refused.
func (k *keyring) identify(sent string, now time.Time) (*writeKey, *refusal) {
	if k.open() {
		return nil, nil
	}
	key := k.find(sent, now)
	if key == nil {
		return nil, unauthorized()
	}
	return key, nil
}

// permit refuses what is outside of the key's scope. Types are those of the request's messages.
func (w *writeKey) permit(source string, types []string) *refusal {
	if w == nil || w.name == "" {
		return nil
	}
	if s := w.scope.Sources; len(s) == 0 && source == parkedSource || len(s) > 0 && !slices.Contains(s, source) {
		return forbidden(fmt.Sprintf("the write key %s may not be used for %s: use another key, or add %s to collector.keys.%s.sources", w.name, source, source, w.name))
	}
	for i, t := range types {
		if len(w.scope.Types) > 0 && !slices.Contains(w.scope.Types, t) {
			r := forbidden(fmt.Sprintf("the write key %s may not send %s: use another key, or add %s to collector.keys.%s.types", w.name, t, t, w.name))
			return r.at(i)
		}
	}
	return nil
}

// spend takes events from the key's bucket, or refuses them all until there are enough.
func (w *writeKey) spend(events int, now time.Time) *refusal {
	if w == nil || w.limiter == nil {
		return nil
	}
	n := min(max(events, 1), w.limiter.Burst())
	reserved := w.limiter.ReserveN(now, n)
	wait := reserved.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	reserved.CancelAt(now)
	r := overloaded(fmt.Sprintf("the write key %s sends more than its %g events a second", w.name, w.scope.Rate.PerSecond))
	r.Code, r.retryAfter = "rate_limited", time.Duration(math.Ceil(wait.Seconds()))*time.Second
	return r
}

// key returns the write key of the request: by basic auth, or else in its body, or else as a bearer token.
func (q *request) key(r *http.Request) string {
	if key, _, _ := r.BasicAuth(); key != "" {
		return key
	}
	if q.writeKey != "" {
		return q.writeKey
	}
	return bearer(r)
}

// types are those of the request's messages.
func (q *request) types() []string {
	types := make([]string, len(q.messages))
	for i, m := range q.messages {
		types[i] = m.kind
	}
	return types
}
