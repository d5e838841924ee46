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
	for _, r := range needed {
		lacks, err := r.lacking(ctx, admin)
		if err != nil {
			return fmt.Errorf("ask Kafka for the right %s: %w", r, err)
		}
		if lacks {
			missing = append(missing, r)
		}
	}
	if len(missing) > 0 {
		return missing
	}
	return nil
}

// lacking asks for one right alone, as one refusal would hide the answers about the others.
func (r Right) lacking(ctx context.Context, admin *kadm.Client) (bool, error) {
	switch r.Kind {
	case Topic:
		details, err := admin.ListTopics(kadm.WithAuthorizedOps(ctx), r.Name)
		if errors.Is(err, kerr.TopicAuthorizationFailed) {
			return true, nil
		}
		d := details[r.Name]
		return d.Err == nil && r.notIn(d.AuthorizedOperations), err
	case Group:
		groups, err := admin.DescribeGroups(ctx, r.Name)
		g := groups[r.Name]
		if errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(g.Err, kerr.GroupAuthorizationFailed) {
			return true, nil
		}
		return g.Err == nil && r.notIn(g.AuthorizedOperations), err
	default:
		// The only question about a transactional id that changes nothing is whether it may be described.
		described, err := admin.DescribeTransactions(ctx, r.Name)
		if errors.Is(err, kerr.TransactionalIDAuthorizationFailed) || errors.Is(described[r.Name].Err, kerr.TransactionalIDAuthorizationFailed) {
			return true, nil
		}
		return false, nil // brokers before 3.0 don't know the question
	}
}

// notIn judges an answer; a broker without access control, and one that is too old to say, allows everything.
func (r Right) notIn(allowed []kadm.ACLOperation) bool {
	return len(allowed) > 0 && !slices.Contains(allowed, r.Operation) && !slices.Contains(allowed, kadm.OpAll)
}
