// Package login connects both Kafka clients alike: by TLS and SASL, with what the files of certificates, passwords and tokens hold
// at that time.
package login

import (
	"context"
	"fmt"

	kafkago "github.com/segmentio/kafka-go/sasl"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"tidemark/schemas/secret"
)

// Mechanisms are the ones that there are.
var Mechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"}

// SASL is a login; a nil one is none.
type SASL struct {
	Mechanism string
	User      string        // but for OAUTHBEARER
	Password  secret.Secret // likewise
	Token     secret.Secret // of OAUTHBEARER
}

// Franz returns the mechanism for franz-go; nil for none. The secret is revealed for each session.
func (s *SASL) Franz() (sasl.Mechanism, error) {
	if s == nil {
		return nil, nil //nolint:nilnil // No login is not an error.
	}
	withPassword := func(context.Context) (scram.Auth, error) {
		return scram.Auth{User: s.User, Pass: s.Password.Reveal()}, nil
	}
	switch s.Mechanism {
	case "PLAIN":
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			return plain.Auth{User: s.User, Pass: s.Password.Reveal()}, nil
		}), nil
	case "SCRAM-SHA-256":
		return scram.Sha256(withPassword), nil
	case "SCRAM-SHA-512":
		return scram.Sha512(withPassword), nil
	case "OAUTHBEARER":
		return bearer{oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			return oauth.Auth{Token: s.Token.Reveal()}, nil
		})}, nil
	}
	return nil, fmt.Errorf("sasl mechanism %q is unknown: use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER", s.Mechanism)
}

// KafkaGo returns the same for kafka-go.
func (s *SASL) KafkaGo() (kafkago.Mechanism, error) {
	m, err := s.Franz()
	if m == nil {
		return nil, err
	}
	return adapter{m}, nil
}

type adapter struct{ sasl.Mechanism }

func (a adapter) Start(ctx context.Context) (kafkago.StateMachine, []byte, error) {
	host := ""
	if meta := kafkago.MetadataFromContext(ctx); meta != nil {
		host = meta.Host
	}
	s, first, err := a.Authenticate(ctx, host)
	return session{s}, first, err
}

type session struct{ sasl.Session }

func (s session) Next(_ context.Context, challenge []byte) (bool, []byte, error) {
	return s.Challenge(challenge)
}

// bearer says why a token is refused: the broker tells it as a challenge, which franz-go takes for a mistake.
type bearer struct{ sasl.Mechanism }

func (b bearer) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	s, first, err := b.Mechanism.Authenticate(ctx, host)
	return bearerSession{s}, first, err
}

type bearerSession struct{ sasl.Session }

func (s bearerSession) Challenge(answer []byte) (bool, []byte, error) {
	if len(answer) > 0 {
		return false, nil, fmt.Errorf("the broker refuses the token with %q: is it for this broker, and has it not expired?", answer)
	}
	return s.Session.Challenge(answer)
}
