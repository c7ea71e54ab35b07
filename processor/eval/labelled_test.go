package eval

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const placementsHeader = "placement_id,theme,title,label,family\n"

// Rows of a placement may stand apart, after a byte order mark and with columns that nobody asked for.
func TestReadPlacements_GathersTheRowsOfAPlacement(t *testing.T) {
	file, err := ReadPlacements(strings.NewReader("\ufefflabel,title,theme,placement_id,shelf\nweak,Oats,Breakfast,p1,3\nsevere,Rum,Party,p2,\nrelevant,\"Milk, 1 L\",Breakfast,p1,4\n"))
	require.NoError(t, err)
	require.Equal(t, Labelled{
		Pairs:      []Pair{{"Breakfast", "Oats", "weak"}, {"Party", "Rum", "severe"}, {"Breakfast", "Milk, 1 L", "relevant"}},
		Placements: []Placement{{"p1", "Breakfast", "", []int{0, 2}}, {"p2", "Party", "", []int{1}}},
	}, file)
}

func TestReadPlacements_NamesWhatIsWrongAndWhere(t *testing.T) {
	for text, says := range map[string]string{
		"":                                "the file is empty",
		"theme,title,label\na,b,weak\n":   "column missing: placement_id",
		placementsHeader:                  "holds no placements",
		placementsHeader + "p,a,b,wek,\n": `line 2: label "wek" is not one of`,
		placementsHeader + ",a,b,weak,\n": "line 2: placement_id is empty",
		placementsHeader + "p,a,b,weak\n": "line 2: 4 fields",
		placementsHeader + "p,a,b,weak,\n" + "q,a,b,weak,\np,c,b,weak,\n":  `line 4: placement "p" has the theme "c" here, and "a" on line 2`,
		placementsHeader + "p,a,b,weak,f\n" + "q,a,b,weak,\np,a,c,weak,\n": `line 4: placement "p" has the family "" here, and "f" on line 2`,
	} {
		_, err := ReadPlacements(strings.NewReader(text))
		require.ErrorContains(t, err, says)
	}
}

// A theme with a title costs one score, however many placements hold it.
func TestDistinct_NamesEachThemeWithATitleOnce(t *testing.T) {
	file := Labelled{Pairs: []Pair{{"a", "x", "weak"}, {"b", "x", "weak"}, {"a", "x", "severe"}, {"a", "y", "weak"}, {"b", "x", "weak"}}}
	distinct, places := file.Distinct()
	require.Equal(t, []Pair{{"a", "x", "weak"}, {"b", "x", "weak"}, {"a", "y", "weak"}}, distinct)
	require.Equal(t, []int{0, 1, 0, 2, 1}, places)
}
