package setting

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that is written as Go writes it (30s, 1h30m) and also knows days of 24 hours and weeks (7d, 2w, 1d12h).
type Duration time.Duration

// UnmarshalText reads a duration. A bare number is refused: 30 of what?
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = Duration(parsed)
	return nil
}

// MarshalText writes the duration as String does, which UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String is the duration in whole days if it is that, such as 7d, else as Go writes it.
func (d Duration) String() string {
	if d != 0 && d%Duration(day) == 0 {
		return fmt.Sprintf("%dd", d/Duration(day))
	}
	return time.Duration(d).String()
}

// Std is the duration as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

const day = 24 * time.Hour

// ParseDuration reads what Duration promises: weeks, days and what Go knows, in this order, each once.
func ParseDuration(text string) (time.Duration, error) {
	wrong := fmt.Errorf("%q is not a duration: write a number with its unit, such as 30s, 5m, 12h or 7d", bounded(text))
	rest, negative := strings.CutPrefix(text, "-")
	var total time.Duration
	for _, unit := range []struct {
		letter string
		length time.Duration
	}{{"w", 7 * day}, {"d", day}} {
		count, after, found := strings.Cut(rest, unit.letter)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(count, 10, 32)
		if err != nil || time.Duration(n) > (math.MaxInt64-total)/unit.length {
			return 0, wrong
		}
		total, rest = total+time.Duration(n)*unit.length, after
		if rest == "" {
			return signed(total, negative), nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || rest[0] == '-' || rest[0] == '+' && rest != text || d > math.MaxInt64-total {
		return 0, wrong
	}
	return signed(total+d, negative), nil
}

func signed(d time.Duration, negative bool) time.Duration {
	if negative {
		return -d
	}
	return d
}
