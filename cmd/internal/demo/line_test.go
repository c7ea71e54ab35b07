//go:build cgo

package demo

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/schema"
)

var truth = Truth{"oats": Relevant, "rye": Relevant, "towel": Weak, "bacon": Severe, "rum": Severe}

func found(id string, severe float64, rule string) named {
	return named{schema.Scored{ProductID: id, Title: "Title of " + id, Severe: severe}, rule}
}

func left(id string, reason judge.Reason, weak, severe float64) schema.Pruned {
	return schema.Pruned{ProductID: id, Title: "Title of " + id, Reason: string(reason), Weak: weak, Severe: severe}
}

// Whoever reads a line knows what became of the placement, which product it was about, and why.
func TestLine_SaysWhatBecameOfAPlacementAndWhy(t *testing.T) {
	for name, test := range map[string]struct {
		verdict verdict
		cells   []string
	}{
		"a hit": {
			verdict{outcome: "severe", products: []named{found("bacon", 0.91, "")}},
			[]string{"HIT", "0/5", "Title of bacon (severe 0.91)"},
		},
		"a hit by a rule": {
			verdict{outcome: "severe", products: []named{found("rum", 0.2, "no-alcohol")}},
			[]string{"HIT", "0/5", "Title of rum (rule no-alcohol)"},
		},
		"a hit that also names what breaks nothing": {
			verdict{outcome: "severe", products: []named{found("oats", 0.99, ""), found("bacon", 0.9, ""), found("rum", 0.8, "")}},
			[]string{"HIT", "0/5", "Title of bacon (severe 0.90) +2"},
		},
		"a false alarm": {
			verdict{outcome: "severe", products: []named{found("oats", 0.7, ""), found("towel", 0.8, "")}},
			[]string{"FALSE ALARM", "0/5", "Title of towel (severe 0.80) +1"},
		},
		"a miss": {
			verdict{outcome: "approved", products: []named{found("oats", 0, ""), found("bacon", 0.02, "")}, pruned: []schema.Pruned{left("rum", judge.ReasonWeak, 0.9, 0)}},
			[]string{"MISS", "2/5", "Title of bacon (severe 0.02)"},
		},
		"approved as it is": {
			verdict{outcome: "approved", products: []named{found("oats", 0, ""), found("rye", 0, "")}},
			[]string{"approved", "2/5", "nothing left out"},
		},
		"approved without what is weak": {
			verdict{outcome: "approved", products: []named{found("oats", 0, "")}, pruned: []schema.Pruned{left("towel", judge.ReasonWeak, 0.93, 0.01)}},
			[]string{"approved", "1/5", "Title of towel (weak 0.93)"},
		},
		"approved without what is uncertain, which is told before what is weak": {
			verdict{outcome: "approved", products: []named{found("oats", 0, "")}, pruned: []schema.Pruned{left("towel", judge.ReasonWeak, 0.93, 0.01), left("bacon", judge.ReasonUncertain, 0.1, 0.31)}},
			[]string{"approved", "1/5", "Title of bacon (uncertain 0.31) +1"},
		},
		"review": {
			verdict{outcome: "review", products: []named{found("oats", 0, "")}, pruned: []schema.Pruned{left("rum", "rule:doubt", 0, 0.5), left("bacon", judge.ReasonUnscored, 0, 0)}},
			[]string{"review", "0/5", "Title of rum (rule doubt) +1"},
		},
		"review of what can't be read": {
			verdict{outcome: "review", pruned: []schema.Pruned{left("bacon", judge.ReasonUnscored, 0, 0)}},
			[]string{"review", "0/5", "Title of bacon (unread)"},
		},
		"a repeated title": {
			verdict{outcome: "approved", products: []named{found("oats", 0, "")}, pruned: []schema.Pruned{left("rye", judge.ReasonDuplicateTitle, 0, 0)}},
			[]string{"approved", "1/5", "Title of rye (repeated)"},
		},
		"left out as severe": {
			verdict{outcome: "approved", products: []named{found("oats", 0, "")}, pruned: []schema.Pruned{left("bacon", judge.ReasonSevereProduct, 0, 0.97)}},
			[]string{"approved", "1/5", "Title of bacon (severe 0.97)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.verdict.theme = "Vegan breakfast"
			line := Screen{Width: 100}.line(test.verdict, truth)
			want := []string{test.cells[0], test.cells[1], "Vegan breakfast", test.cells[2]}
			require.Equal(t, strings.Join(strings.Fields(strings.Join(want, " ")), " "), strings.Join(strings.Fields(line), " "))
		})
	}
	line := Screen{Width: 100}.line(verdict{outcome: "dead-letter", placement: "p-1", problem: "encoding"}, nil)
	require.Equal(t, []string{"dead", "letter", "p-1", "refused:", "encoding"}, strings.Fields(line))
}

// However long and hostile theme and title are, a line stays one line, as wide as the screen at most, and what decided is
// never cut off; only colours the board put there reach a terminal.
func TestLine_FitsTheScreenWhateverItHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		screen := Screen{Width: rapid.IntRange(narrowestBoard, 200).Draw(t, "width")}
		text := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.SampledFrom([]rune("\n\r\t\x1b\u202e\u200b🥜寿e\u0301"))))
		product := found("bacon", rapid.Float64Range(0, 1).Draw(t, "severe"), "")
		product.Title = text.Draw(t, "title")
		line := screen.line(verdict{outcome: "severe", theme: text.Draw(t, "theme"), products: []named{product, product}}, truth)
		require.LessOrEqual(t, columnsOf(line), screen.Width)
		require.NotRegexp(t, `[\p{Cc}\p{Cf}]`, line)
		require.Contains(t, line, "(severe ")
		require.Regexp(t, `\+1$`, line)
	})
}

func TestScreen_ColoursNothingButATerminal(t *testing.T) {
	require.Equal(t, Screen{Out: &bytes.Buffer{}, Width: widthOfFiles}, NewScreen(&bytes.Buffer{}))
	plain, coloured := Screen{Width: 80}, Screen{Width: 80, Colour: true}
	hit := verdict{outcome: "severe", products: []named{found("bacon", 0.9, "")}}
	require.NotContains(t, plain.line(hit, truth), "\x1b")
	require.True(t, strings.HasPrefix(coloured.line(hit, truth), "\x1b[32mHIT        \x1b[0m"))
}

func TestFit_EscapesAndCuts(t *testing.T) {
	for text, want := range map[string]string{
		"short":             "short",
		"exactly ten":       "exactly t…",
		"a\x1b[31mb":        `a\x1b[31mb`,
		"a\nb":              `a\nb`,
		"🥜🥜🥜🥜🥜":             "🥜🥜🥜🥜🥜",
		"🥜🥜🥜🥜🥜🥜":            "🥜🥜🥜🥜…",
		"cafe\u0301 au lai": "cafe\u0301 au l…",
	} {
		require.Equal(t, want, fit(text, 10))
		require.Equal(t, 10, max(columnsOf(cell(text, 10)), 10))
	}
}
