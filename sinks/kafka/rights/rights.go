// Package rights says what a process needs of Kafka's access control, and which of it is missing.
package rights

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Kind is what a right is for, as kafka-acls.sh names it.
type Kind string

// The kinds of resources. A transactional id stands for all that begin with it.
const (
	Topic           Kind = "topic"
	Group           Kind = "group"
	TransactionalID Kind = "transactional-id"
)

// Right is one operation on one resource.
type Right struct {
	Kind      Kind
	Name      string
	Operation kadm.ACLOperation // Read or Write; each brings Describe with it
}

// On returns a right for each of the names.
func On(kind Kind, operation kadm.ACLOperation, names ...string) []Right {
	out := make([]Right, len(names))
	for i, name := range names {
		out[i] = Right{kind, name, operation}
	}
	return out
}

func (r Right) String() string { return fmt.Sprintf("%s on the %s %s", r.Operation, r.Kind, r.Name) }

// Command is how an administrator grants it to a principal, such as User:tidemark.
func (r Right) Command(principal string) string {
	pattern := ""
	if r.Kind == TransactionalID {
		pattern = " --resource-pattern-type prefixed"
	}
	return fmt.Sprintf("kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal %s --operation %s --%s %s%s", principal, r.Operation, r.Kind, r.Name, pattern)
}

// MissingError names rights that a process lacks.
type MissingError []Right

func (e MissingError) Error() string {
	texts, commands := make([]string, len(e)), make([]string, len(e))
	for i, r := range e {
		texts[i], commands[i] = r.String(), r.Command("User:NAME")
	}
	return "Kafka does not grant " + strings.Join(texts, ", ") + ". Run, with the name that Kafka knows this process by: " + strings.Join(commands, "; ")
}

// Check returns a MissingError if some of what is needed is not granted, or why the brokers cannot be asked. What does not exist yet
// cannot be checked by brokers that say so, and is passed over.
func Check(ctx context.Context, client *kgo.Client, needed []Right) error {
	admin := kadm.NewClient(client)
	var missing MissingError
	topics := names(needed, Topic)
	details, err := admin.ListTopics(kadm.WithAuthorizedOps(ctx), topics...)
	if err != nil {
		return fmt.Errorf("ask Kafka for the rights on topics: %w", err)
	}
	groups, err := admin.DescribeGroups(ctx, names(needed, Group)...)
	if err != nil && !errors.Is(err, kerr.GroupAuthorizationFailed) {
		return fmt.Errorf("ask Kafka for the rights on groups: %w", err)
	}
	for _, r := range needed {
		switch r.Kind {
		case Topic:
			d := details[r.Name]
			if lacks(d.Err, kerr.TopicAuthorizationFailed, d.AuthorizedOperations, r.Operation) {
				missing = append(missing, r)
			}
		case Group:
			g := groups[r.Name]
			if lacks(g.Err, kerr.GroupAuthorizationFailed, g.AuthorizedOperations, r.Operation) {
				missing = append(missing, r)
			}
		case TransactionalID:
			// The only question about one that changes nothing is whether it may be described.
			described, err := admin.DescribeTransactions(ctx, r.Name)
			if errors.Is(err, kerr.TransactionalIDAuthorizationFailed) || errors.Is(described[r.Name].Err, kerr.TransactionalIDAuthorizationFailed) {
				missing = append(missing, r)
			}
		}
	}
	if len(missing) > 0 {
		return missing
	}
	return nil
}

// lacks judges an answer; a broker without access control, and one that is too old to say, allows everything.
func lacks(err, refusal error, allowed []kadm.ACLOperation, wanted kadm.ACLOperation) bool {
	if errors.Is(err, refusal) {
		return true
	}
	return err == nil && len(allowed) > 0 && !slices.Contains(allowed, wanted) && !slices.Contains(allowed, kadm.OpAll)
}

func names(needed []Right, kind Kind) []string {
	var out []string
	for _, r := range needed {
		if r.Kind == kind && !slices.Contains(out, r.Name) {
			out = append(out, r.Name)
		}
	}
	return out
}
