package main

import (
	"testing"

	"go.uber.org/goleak"

	"tidemark/internal/devclickhouse/chtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(chtest.WithShared(m)) }
