package source

import "github.com/twmb/franz-go/pkg/kgo"

// Seeker sets from where a client goes on, behind batches that it did not unpack. It is not safe for concurrent use.
type Seeker struct{ seeks int32 }

// Seek sets from where the client fetches partitions, by topic. It has to be given all of them: to set the offset of one makes the client
// drop what it has fetched of the others, and with it that one of them has stopped before such a batch too.
func (s *Seeker) Seek(client *kgo.Client, to map[string]map[int32]int64) {
	// The client takes no notice of a position that was set before. Any negative epoch is unknown, so every second time it is another one.
	s.seeks++
	epoch := -1 - s.seeks%2
	at := make(map[string]map[int32]kgo.EpochOffset, len(to))
	for topic, partitions := range to {
		at[topic] = make(map[int32]kgo.EpochOffset, len(partitions))
		for n, offset := range partitions {
			at[topic][n] = kgo.EpochOffset{Epoch: epoch, Offset: offset}
		}
	}
	client.SetOffsets(at)
}
