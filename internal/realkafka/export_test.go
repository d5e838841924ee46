package realkafka

// PIDs returns the process ids of all nodes, also of those that have ended.
func (c *Cluster) PIDs() []int {
	out := make([]int, len(c.nodes))
	for i, n := range c.nodes {
		out[i] = n.proc.pid
	}
	return out
}
