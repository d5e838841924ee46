package kafkatest_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"tidemark/internal/realkafka/kafkatest"
)

// outcome records how a test ended instead of ending this one.
type outcome struct {
	testing.TB
	skipped, failed bool
}

func (o *outcome) Helper()               {}
func (o *outcome) Errorf(string, ...any) {}
func (o *outcome) FailNow()              { o.failed = true; runtime.Goexit() }
func (o *outcome) Skip(...any)           { o.skipped = true; runtime.Goexit() }

func TestMissingToolsSkipOnlyOutsideCI(t *testing.T) {
	for ci, want := range map[string]outcome{"": {skipped: true}, "true": {failed: true}} {
		t.Run("CI="+ci, func(t *testing.T) {
			t.Setenv("CI", ci)
			t.Setenv("PATH", t.TempDir())
			t.Setenv("JAVA_HOME", "")
			got := outcome{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				kafkatest.RequireTools(&got)
			}()
			<-done
			require.Equal(t, want.skipped, got.skipped)
			require.Equal(t, want.failed, got.failed)
		})
	}
}
