package eval

import "fmt"

// Percent says the share with that key in percent, and - where there is nothing to have a share of.
func (s Shares) Percent(key string) string {
	count := s.Counts[key]
	if count[1] == 0 {
		return "-"
	}
	return percent(ratio(count[0], count[1]))
}

// Spread is Percent with the interval.
func (s Shares) Spread(key string) string {
	if s.Counts[key][1] == 0 {
		return "-"
	}
	return s.Percent(key) + s.Intervals[key].percent()
}

// Spread says the precision in percent with its interval, and - where the file can't tell.
func (p PrecisionAt) Spread() string {
	if p.Interval == (Interval{0, 1}) {
		return "-"
	}
	return percent(p.Precision) + p.Interval.percent()
}

func (i Interval) percent() string { return " (" + percent(i[0]) + "-" + percent(i[1]) + ")" }

func percent(share float64) string { return fmt.Sprintf("%.1f", 100*share) }
