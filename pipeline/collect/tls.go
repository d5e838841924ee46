package collect

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// Certificate returns what gives a server its certificate and key, from PEM files. They are read again once one of them has changed; while they
// do not fit together, as in the midst of a renewal, the pair before is used.
func Certificate(certFile, keyFile string) (func() (*tls.Certificate, error), error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("load cert_file and key_file: %w", err)
	}
	changed := func() (at [2]time.Time) {
		for i, name := range []string{certFile, keyFile} {
			if info, err := os.Stat(name); err == nil {
				at[i] = info.ModTime()
			}
		}
		return at
	}
	var mu sync.Mutex
	current, seen := &pair, changed()
	return func() (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		if now := changed(); now != seen {
			if pair, err := tls.LoadX509KeyPair(certFile, keyFile); err == nil {
				current, seen = &pair, now
			}
		}
		return current, nil
	}, nil
}
