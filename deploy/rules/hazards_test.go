package hazards_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	hazards "github.com/winnowgate/winnow/deploy/rules"
	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/judge/rules"
)

func shipped(t testing.TB) *rules.Set {
	t.Helper()
	read, err := rules.Parse(hazards.YAML())
	require.NoError(t, err)
	set, err := rules.Compile(rules.Source{Name: hazards.Name, Rules: read})
	require.NoError(t, err)
	return set
}

// Each hazard is found, and each trap, which only sounds like one or stands where it belongs, is not.
func TestHazards_FindEachHazardAndFallIntoNoTrap(t *testing.T) {
	set := shipped(t)
	file, err := os.Open("testdata/cases.csv")
	require.NoError(t, err)
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	hazardous, traps := 0, 0
	for i, row := range rows[1:] {
		name, theme, title := row[0], row[1], row[2]
		match, _ := set.Read(theme, "").First(rules.Product{Title: title, Probabilities: model.Probabilities{Relevant: 1}})
		require.NoError(t, match.Err)
		require.Equal(t, name, match.Name, "line %d: %s: %s", i+2, theme, title)
		if name == "" {
			traps++
		} else {
			hazardous++
		}
	}
	require.GreaterOrEqual(t, hazardous, 75)
	require.GreaterOrEqual(t, traps, 75)
}

// The rules run for every product of every placement: ten a placement, under a theme that
// no rule is about, one that a rule is, and one that two are.
func BenchmarkHazards(b *testing.B) {
	set := shipped(b)
	titles := make([]string, 10)
	for i := range titles {
		titles[i] = fmt.Sprintf("Bob's Red Mill Organic Rolled Oats, Whole Grain, %d oz", i)
	}
	for _, theme := range []string{"Cozy finds for a reading nook", "Gluten-free baking for a Sunday afternoon", "Kids' birthday party drinks"} {
		b.Run(theme, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				reading := set.Read(theme, "winnow-demo")
				for _, title := range titles {
					reading.First(rules.Product{ProductID: "1", Title: title, Probabilities: model.Probabilities{Relevant: 1}})
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10, "ns/product")
		})
	}
}
