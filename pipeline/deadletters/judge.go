package deadletters

import (
	"time"

	"tidemark/pipeline/decode"
	"tidemark/pipeline/worker"
	"tidemark/schemas"
)

// Judge knows what the pipeline takes.
type Judge struct {
	Contents map[string]worker.Content // by topic; those of other topics are not judged
	Program  *schemas.Program
	Limits   decode.Limits
}

// Refuses returns why the pipeline would refuse the record again; nil: it would not for its content. Whether it would be a duplicate, or
// of an account that nobody knows, shows only then.
func (j *Judge) Refuses(topic string, key, value []byte, at time.Time) *decode.Rejection {
	content, ok := j.Contents[topic]
	if !ok {
		return nil
	}
	var rejection *decode.Rejection
	switch ms := at.UnixMilli(); content {
	case worker.Telemetry:
		rejection = decode.NewTelemetry(j.Program, j.Limits).Decode(value, ms, &decode.Event{})
	case worker.Tickets:
		_, rejection = decode.DecodeTicket(value, ms, j.Limits)
	case worker.Accounts:
		_, rejection = decode.DecodeAccount(key, value, ms)
	case worker.Signals:
		_, rejection = decode.DecodeSignal(value, ms, j.Limits)
	}
	return rejection
}
