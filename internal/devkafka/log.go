package devkafka

import (
	"fmt"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"
)

// logAdapter passes kfake's log lines to zap and remembers the first failure to persist, which kfake itself only logs.
type logAdapter struct {
	log *zap.Logger

	mu    sync.Mutex
	first error
}

func (a *logAdapter) Logf(level kfake.LogLevel, format string, args ...any) {
	if level > kfake.LogLevelWarn {
		return
	}
	msg := fmt.Sprintf(format, args...)
	if strings.HasPrefix(format, "persist ") || strings.HasPrefix(format, "save session state") {
		a.mu.Lock()
		if a.first == nil {
			a.first = fmt.Errorf("embedded kafka could not write its state: %s", msg)
		}
		a.mu.Unlock()
	}
	if level == kfake.LogLevelError {
		a.log.Error(msg)
		return
	}
	a.log.Warn(msg)
}

func (a *logAdapter) failure() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.first
}
