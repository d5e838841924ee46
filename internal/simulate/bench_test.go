package simulate

import (
	"testing"
	"time"
)

// BenchmarkReplay is what a restart costs for each message of the past.
func BenchmarkReplay(b *testing.B) {
	plan := Plan{Seed: 7, Accounts: 50, Start: time.Date(2026, 9, 20, 10, 0, 0, 0, time.UTC), History: day(14)}
	g, err := NewGenerator(plan)
	if err != nil {
		b.Fatal(err)
	}
	truth := NewTruth(plan)
	b.ReportAllocs()
	for range b.N {
		m, ok := g.Next()
		if !ok {
			if _, err := g.Resume(plan.Start, 2000); err != nil {
				b.Fatal(err)
			}
			m, _ = g.Next()
		}
		truth.Add(m)
	}
}
