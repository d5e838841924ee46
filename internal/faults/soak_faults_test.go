//go:build faults

package faults_test

import (
	"testing"
	"time"
)

// TestSoak has SDKs send for minutes while collector, broker and pipeline are killed in turn.
//
//tidemark:proves "collector, broker and pipeline are killed in turn": 1 3 4 5
func TestSoak(t *testing.T) { soak(t, 3*time.Minute, 40) }
