package preflight

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"tidemark/schemas/mapping"
)

// Normalise is what the normalising stage reads.
type Normalise struct {
	Client   *kgo.Client
	Topics   mapping.Topics
	URLs     []string   // of the registry
	Registry *sr.Client // nil: none is configured
}

// Check looks for the raw topics and asks the schema registry; without declared topics there is nothing to find.
func (n *Normalise) Check(ctx context.Context) []Finding {
	var f findings
	if len(n.Topics) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	const subject = "normalise"
	names := slices.Sorted(maps.Keys(n.Topics))
	topics, err := kadm.NewClient(n.Client).ListTopics(ctx, names...)
	if err != nil {
		f.error(subject, "", "ask Kafka for the raw topics: %v", err)
		return f
	}
	found := 0
	for _, name := range names {
		if !topics.Has(name) {
			f.error(subject, "create it, or correct its name", "the topic %s of normalise.topics does not exist", name)
			continue
		}
		found++
	}
	f.ok(subject, "%s there, of %s", Count(found, "raw topic"), Count(len(names), "declared one"))
	if n.Registry == nil {
		return f
	}
	if _, err := n.Registry.Subjects(ctx); err != nil {
		f.error("schema registry", "correct normalise.registry, or start the registry", "%s: %v", strings.Join(n.URLs, ", "), err)
	} else {
		f.ok("schema registry", "%s answers", strings.Join(n.URLs, ", "))
	}
	return f
}
