//go:build cgo

package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// Summary is what a run came to; its JSON is part of the command's contract.
type Summary struct {
	Candidates     int
	Approved       int
	Severe         int
	Review         int
	DeadLetter     int
	Pairs          int
	Seconds        float64 // from the first candidate published to the last verdict committed
	PairsPerSecond float64
	Model          string
	Provider       string

	tally tally
}

// Hits counts the severe verdicts that name a product which breaks the theme.
func (s Summary) Hits() int { return s.tally.broken.hit }

// FalseAlarms counts the other severe verdicts.
func (s Summary) FalseAlarms() int { return s.tally.clean.killed + s.tally.broken.otherwise }

// Misses counts the approved placements that show a product which breaks the theme.
func (s Summary) Misses() int { return s.tally.broken.missed }

// MarshalJSON writes hits, misses and false_alarms as counts of placements, and what has a name in the model's card as the
// share that it is there.
func (s Summary) MarshalJSON() ([]byte, error) {
	t := &s.tally
	return json.Marshal(struct {
		Candidates     int     `json:"candidates"`
		Approved       int     `json:"approved"`
		Severe         int     `json:"severe"`
		Review         int     `json:"review"`
		DeadLetter     int     `json:"dead_letter"`
		Pairs          int     `json:"pairs"`
		Seconds        float64 `json:"seconds"`
		PairsPerSecond float64 `json:"pairs_per_second"`
		Model          string  `json:"model"`
		Provider       string  `json:"provider"`
		Hits           int     `json:"hits"`
		Misses         int     `json:"misses"`
		FalseAlarms    int     `json:"false_alarms"`
		CleanApproved  float64 `json:"clean_approved"` // of placements without a product that breaks the theme
		CleanKilled    float64 `json:"clean_killed"`
		CleanHeld      float64 `json:"clean_held"`
		SevereShown    float64 `json:"severe_shown"`  // of products that break their theme
		RelevantKept   float64 `json:"relevant_kept"` // of relevant products in approved placements
	}{
		s.Candidates, s.Approved, s.Severe, s.Review, s.DeadLetter, s.Pairs, s.Seconds, s.PairsPerSecond, s.Model, s.Provider,
		s.Hits(), s.Misses(), s.FalseAlarms(),
		share(t.clean.approved, t.cleanOnes()), share(t.clean.killed, t.cleanOnes()), share(t.clean.held, t.cleanOnes()),
		share(t.shown, t.severe), share(t.kept, t.relevant),
	})
}

// share is 0 of nothing, which JSON can hold.
func share(part, whole int) float64 { return float64(part) / float64(max(whole, 1)) }

// Print writes the summary in words.
func (s Summary) Print(out io.Writer) {
	t := &s.tally
	percent := func(part, whole int) string { return fmt.Sprintf("%d %%", int(math.Round(100*share(part, whole)))) }
	fmt.Fprintf(out, `
%d candidates = %d approved + %d severe + %d review + %d dead letter, none missing
%d hits, %d misses, %d false alarms

Of %d clean placements: %d approved (%s), %d killed (%s), %d held (%s).
Of %d that break their theme: %d killed for it, %d killed for another product,
  %d approved without it, %d approved with it, %d held.
Of %d products that break their theme: %d shown (%s).
Of %d relevant products in approved placements: %d kept (%s).
Found severe by the model: %d products, %d rightly; by the rules: %d, %d rightly.

%d pairs in %.1f s: %.0f pairs/s, those seen before from the cache
model %s on %s
`, s.Candidates, s.Approved, s.Severe, s.Review, s.DeadLetter,
		s.Hits(), s.Misses(), s.FalseAlarms(),
		t.cleanOnes(), t.clean.approved, percent(t.clean.approved, t.cleanOnes()),
		t.clean.killed, percent(t.clean.killed, t.cleanOnes()), t.clean.held, percent(t.clean.held, t.cleanOnes()),
		t.brokenOnes(), t.broken.hit, t.broken.otherwise, t.broken.spared, t.broken.missed, t.broken.held,
		t.severe, t.shown, percent(t.shown, t.severe),
		t.relevant, t.kept, percent(t.kept, t.relevant),
		t.model.named, t.model.rightly, t.rules.named, t.rules.rightly,
		s.Pairs, s.Seconds, s.PairsPerSecond, s.Model, s.Provider)
}
