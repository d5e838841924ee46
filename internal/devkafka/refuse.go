package devkafka

import (
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// RefuseCommits has the broker answer every offset commit with an error until heal is called; all else goes on.
func (b *Broker) RefuseCommits(with *kerr.Error) (heal func()) {
	var healed atomic.Bool
	b.cluster.ControlKey(kmsg.OffsetCommit.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if healed.Load() {
			b.cluster.DropControl()
			return nil, nil, false
		}
		b.cluster.KeepControl()
		commit := request.(*kmsg.OffsetCommitRequest)                //nolint:forcetypeassert // by its key
		answer := commit.ResponseKind().(*kmsg.OffsetCommitResponse) //nolint:forcetypeassert // likewise
		for _, t := range commit.Topics {
			refused := kmsg.NewOffsetCommitResponseTopic()
			refused.Topic, refused.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				one := kmsg.NewOffsetCommitResponseTopicPartition()
				one.Partition, one.ErrorCode = p.Partition, with.Code
				refused.Partitions = append(refused.Partitions, one)
			}
			answer.Topics = append(answer.Topics, refused)
		}
		return answer, nil, true
	})
	return func() { healed.Store(true) }
}
