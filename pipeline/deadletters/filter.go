package deadletters

import (
	"slices"
	"strings"
	"time"
)

// Filter says which letters are meant. What is empty says nothing; what is not has to hold.
type Filter struct {
	IDs     []string // as ID.Is takes them
	Reasons []string
	Topics  []string  // that the records were in
	Source  string    // topic/partition, with or without the topic's id
	Since   time.Time // found then or later
	Until   time.Time // found before
}

// Empty reports whether it says nothing.
func (f *Filter) Empty() bool {
	return len(f.IDs)+len(f.Reasons)+len(f.Topics)+len(f.Source) == 0 && f.Since.IsZero() && f.Until.IsZero()
}

// Means reports whether the letter is meant.
func (f *Filter) Means(l *Letter) bool {
	return (len(f.IDs) == 0 || slices.ContainsFunc(f.IDs, l.Is)) &&
		(len(f.Reasons) == 0 || slices.Contains(f.Reasons, l.Reason)) &&
		(len(f.Topics) == 0 || slices.Contains(f.Topics, l.Topic)) &&
		(f.Source == "" || f.Source == l.Source || strings.HasPrefix(l.Source, f.Source+"@")) &&
		(f.Since.IsZero() || !l.Found.Before(f.Since)) &&
		(f.Until.IsZero() || l.Found.Before(f.Until))
}
