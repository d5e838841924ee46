// Package nearest finds the name that was probably meant.
package nearest

// To returns the candidate with the fewest edits to name, or "" if more than a third of name would change.
func To(name string, candidates []string) string {
	best, bestEdits := "", (len(name)+2)/3+1
	for _, candidate := range candidates {
		if n := edits(name, candidate); n < bestEdits {
			best, bestEdits = candidate, n
		}
	}
	return best
}

// edits counts the bytes to insert, delete or replace to turn a into b (Levenshtein's distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1) // row[j] is the distance of a's prefix read so far to b[:j].
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
