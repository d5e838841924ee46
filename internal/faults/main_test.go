package faults_test

import (
	"testing"

	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse/chtest"
	"tidemark/internal/e2e"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(e2e.Main(tally{chtest.WithShared(m)})) }
