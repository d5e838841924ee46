package source

import (
	"context"
	"time"
)

// leaveTimeout bounds how long a group's member that ends waits for a rebalance under way, in which others may take a minute to answer.
const leaveTimeout = 5 * time.Second

// Leave closes a group's member, whose work is committed. What its client waits for is cut when that takes long: cut ends the context
// that the client was made with.
func Leave(closeClient func(), cut context.CancelFunc) {
	late := time.AfterFunc(leaveTimeout, cut)
	defer late.Stop()
	closeClient()
}
