package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes.
type Size int64

// Units of Size.
const (
	Byte     Size = 1
	Kilobyte      = 1024 * Byte
	Megabyte      = 1024 * Kilobyte
	Gigabyte      = 1024 * Megabyte
)

// sizeUnits has the longest suffixes first, as KB ends in B too.
var sizeUnits = []struct {
	suffix string
	size   Size
}{{"KB", Kilobyte}, {"MB", Megabyte}, {"GB", Gigabyte}, {"B", Byte}}

// ParseSize reads a size such as 32KB, 1MB, 2GB or 4096 (bytes).
func ParseSize(text string) (Size, error) {
	digits, unit := text, Byte
	for _, u := range sizeUnits {
		if before, ok := strings.CutSuffix(text, u.suffix); ok {
			digits, unit = strings.TrimSpace(before), u.size
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/int64(unit) {
		return 0, fmt.Errorf("%q is not a size such as 32KB, 1MB or 4096", text)
	}
	return Size(n) * unit, nil
}

// String gives the size in its largest whole unit, such as 32KB.
func (s Size) String() string {
	unit := sizeUnits[3]
	for _, u := range sizeUnits[:3] {
		if s != 0 && s%u.size == 0 {
			unit = u
		}
	}
	return strconv.FormatInt(int64(s/unit.size), 10) + unit.suffix
}

// MarshalText writes what ParseSize reads.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
