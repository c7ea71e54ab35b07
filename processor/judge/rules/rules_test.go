package rules

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/winnowgate/winnow/model"
)

var fine = model.Probabilities{Relevant: 0.9, Weak: 0.08, Severe: 0.02}

func compile(t testing.TB, rules ...Rule) *Set {
	t.Helper()
	set, err := Compile(Source{"policy.rules", rules})
	require.NoError(t, err)
	return set
}

// matches reports whether the expression matches a product of the theme.
func matches(t testing.TB, when, theme, title string) bool {
	t.Helper()
	match, found := compile(t, Rule{"r", when, Severe}).Read(theme, "").First(Product{Title: title, Probabilities: fine})
	require.NoError(t, match.Err)
	return found
}

// A merchandiser's words are found however a title writes them, as whole words, and their plurals too.
func TestHasWord_FindsWholeWordsHoweverTheyAreWritten(t *testing.T) {
	for _, test := range []struct {
		words, title string
		want         bool
	}{
		{"'beer'", "BEER, 12 oz", true}, {"'beer'", "Craft beers", true}, {"'beer'", "Beer's best", true}, {"'beer'", "Beerenauslese", false}, {"'beer'", "Rootbeer", false},
		{"'kid'", "KIDS’ table", true}, {"'kid'", "Kid's table", true}, {"'kids'", "Kid table", false}, {"'kid'", "Kidney beans", false},
		{"'jalapeno'", "Jalapeño chips", true}, {"'Jalapeño'", "JALAPENO", true}, {"'rose'", "Rosé", true}, {"'ﬁg'", "fig bars", true},
		{"'cherry'", "Dark cherries", true}, {"'peach'", "Peaches", true}, {"'toy'", "Toys", true}, {"'tomato'", "Tomatoes", true}, {"'box'", "Boxes", true},
		{"'red wine'", "Red wines of Spain", true}, {"'red wine'", "Red-wine vinegar", true}, {"'red wine'", "Wine red", false}, {"'red wine'", "red", false}, {"'wine', 'red wine'", "a red", false},
		{"'mac & cheese'", "Mac and cheese", false}, {"'mac & cheese'", "MAC & CHEESE", true}, {"'non-alcoholic'", "Non Alcoholic", true},
		{"'0.0'", "Heineken 0.0, 12 pk", true}, {"'0.0'", "Heineken 0, 0 sugar", false}, {"'0%'", "0% alcohol", true}, {"'0%'", "0 sugar", false}, {"'5'", "5.0", false},
		{"'寿司'", "寿司 セット", true}, {"'beer'", "", false}, {"'beer'", "…", false},
	} {
		require.Equal(t, test.want, matches(t, "title.has_word(["+test.words+"])", "theme", test.title), "%s in %q", test.words, test.title)
	}
}

func TestWithout_LeavesOutWhatOnlySoundsAlike(t *testing.T) {
	when := "title.without(['root beer', 'ginger beer']).has_word(['beer', 'root beer'])"
	require.False(t, matches(t, when, "", "Root beer, 12 oz"))
	require.False(t, matches(t, when, "", "Ginger Beers"))
	require.True(t, matches(t, when, "", "Root beer and lager beer"))
	require.False(t, matches(t, "title.without(['pale']).has_word(['india ale'])", "", "India pale ale"), "no phrase reaches over what was left out")
	require.True(t, matches(t, "title.without(['a']).without(['b']).has_word(['c'])", "", "a b c"))
}

// Every string can be asked, and an iteration over attributes too.
func TestHasWord_AsksAnyString(t *testing.T) {
	set := compile(t, Rule{"brand", "'brand' in attributes && attributes['brand'].has_word(['acme'])", Severe}, Rule{"any", "attributes.exists(key, attributes[key].has_word(['thc']))", Weak}, Rule{"model", "generator == 'b' && severe > 0.01 && product_id == '7'", Uncertain})
	first := func(generator string, product Product) string {
		product.Probabilities = fine
		match, _ := set.Read("theme", generator).First(product)
		require.NoError(t, match.Err)
		return match.Name
	}
	require.Equal(t, "brand", first("", Product{Attributes: map[string]string{"brand": "ACME foods"}}))
	require.Equal(t, "any", first("", Product{Attributes: map[string]string{"note": "100 mg THC"}}))
	require.Equal(t, "model", first("b", Product{ProductID: "7"}))
	require.Empty(t, first("a", Product{ProductID: "7"}))
}

// The first rule that matches decides, and what a theme rules out is not asked again.
func TestFirst_TheFirstMatchDecides(t *testing.T) {
	set := compile(t, Rule{"never", "theme == 'other' && title == 'x'", Severe}, Rule{"one", "title == 'x'", Weak}, Rule{"two", "true", Relevant})
	reading := set.Read("theme", "")
	require.Len(t, reading.open, 2)
	match, found := reading.First(Product{Title: "x", Probabilities: fine})
	require.Equal(t, Match{Name: "one", Then: Weak}, match)
	require.True(t, found)
	match, _ = reading.First(Product{Title: "y", Probabilities: fine})
	require.Equal(t, "two", match.Name)
	require.Nil(t, (*Set)(nil).Read("theme", ""))
	_, found = (*Set)(nil).Read("theme", "").First(Product{})
	require.False(t, found)
}

// A reading that remembers answers for one title must not give them for another; what a rule says depends on the product alone.
func TestFirst_DependsOnTheProductAlone(t *testing.T) {
	set := compile(t, Rule{"a", "theme.without(['x']).has_word(['kid']) && title.without(['root beer']).has_word(['beer'])", Severe}, Rule{"b", "title.has_word(['root beer']) || theme.has_word(['x'])", Weak})
	text := rapid.SliceOfN(rapid.SampledFrom([]string{"kid", "kids", "x", "root", "beer", "Beers", "y"}), 0, 5)
	rapid.Check(t, func(t *rapid.T) {
		theme := strings.Join(text.Draw(t, "theme"), " ")
		reading := set.Read(theme, "")
		for _, title := range rapid.SliceOfN(text, 1, 6).Draw(t, "titles") {
			product := Product{Title: strings.Join(title, " "), Probabilities: fine}
			got, _ := reading.First(product)
			want, _ := set.Read(theme, "").First(product)
			require.Equal(t, want, got)
			in := func(text, word string) bool { return strings.Contains(" "+strings.ToLower(text)+" ", " "+word) }
			kids := in(theme, "kid")
			beer := in(strings.ReplaceAll(strings.ToLower(product.Title), "root beer", "-"), "beer")
			root := strings.Contains(strings.ToLower(product.Title), "root beer")
			expected := ""
			switch {
			case kids && beer:
				expected = "a"
			case root || in(theme, "x"):
				expected = "b"
			}
			require.Equal(t, expected, got.Name, "%q: %q", theme, product.Title)
		}
	})
}

func TestSet_IsSafeForConcurrentUse(t *testing.T) {
	set := compile(t, Rule{"a", "theme.has_word(['kid']) && title.without(['root beer']).has_word(['beer'])", Severe})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 200 {
				reading := set.Read("kids", "")
				if _, found := reading.First(Product{Title: fmt.Sprintf("beer %d", i), Probabilities: fine}); !found {
					t.Error("not found")
				}
			}
		})
	}
	group.Wait()
}

// A rule that fails on a product must not let it pass; on one that nobody has read there is nothing to let pass.
func TestFirst_ARuleThatFailsIsUncertain(t *testing.T) {
	set := compile(t, Rule{"brand", "attributes['brand'] == 'acme'", Relevant}, Rule{"beer", "title == 'beer'", Severe}, Rule{"likely", "severe > 0.5", Severe})
	match, found := set.Read("theme", "").First(Product{Title: "beer", Probabilities: fine})
	require.True(t, found)
	require.Equal(t, Uncertain, match.Then)
	require.ErrorContains(t, match.Err, "no such key: brand")
	unread := model.Probabilities{Relevant: math.NaN(), Weak: math.NaN(), Severe: math.NaN()}
	match, _ = set.Read("theme", "").First(Product{Title: "beer", Probabilities: unread})
	require.Equal(t, Match{Name: "beer", Then: Severe}, match)
	_, found = set.Read("theme", "").First(Product{Title: "oats", Probabilities: unread})
	require.False(t, found)
}

// Wider limits let in products on which a rule may cost more than was proved when it was compiled: it is stopped.
func TestFirst_WhatCostsTooMuchIsUncertain(t *testing.T) {
	set := compile(t, Rule{"walk", "attributes.exists(key, attributes[key].has_word(['beer']))", Severe})
	attributes := map[string]string{}
	for i := range 5000 {
		attributes[fmt.Sprint(i)] = strings.Repeat("oats ", 100)
	}
	match, found := set.Read("theme", "").First(Product{Title: "oats", Attributes: attributes, Probabilities: fine})
	require.True(t, found)
	require.Equal(t, Uncertain, match.Then)
	require.ErrorContains(t, match.Err, "cost limit exceeded")
	match, found = set.Read(strings.Repeat("x", mostBytes+1), "").First(Product{Title: "oats", Attributes: map[string]string{"a": "beer"}, Probabilities: fine})
	require.True(t, found)
	require.Equal(t, Match{Name: "walk", Then: Severe}, match)
}

// Whoever writes a rule is told which one is wrong, where, and what was expected.
func TestCompile_PointsAtWhatIsWrong(t *testing.T) {
	for when, says := range map[string]string{
		"theme == 'x' && titel == 'y'": "policy.rules[1] \"no-alcohol\": 1:17: undeclared reference to 'titel' (did you mean 'title'?)\n  | theme == 'x' && titel == 'y'\n  | ................^",
		"theme == 'x'\n  && title ==":  "2:14: Syntax error",
		"title":                        "when is of type string, must be true or false",
		"":                             "when is empty",
		"title.has_word('beer')":       "1:16: has_word takes a list of words and phrases that is written out, such as ['beer', 'red wine']\n  | title.has_word('beer')\n  | ...............^",
		"title.has_word([])":           "has_word takes a list of words",
		"title.has_word([title])":      "has_word takes a list of words",
		"title.has_word(['!'])":        "has_word holds '!', which has no word",
		"title.without(['a', 1]).has_word(['b'])":    "without takes a list of words",
		"severe.has_word(['a'])":                     "1:",
		"title.without(['a']) == 'b'":                "1:",
		"['a'].exists(title, title.has_word(['a']))": "title is a variable of every rule, call the one that walks over a list otherwise",
		"attributes.exists(a, attributes.exists(b, attributes.exists(c, attributes[a] + attributes[b] == c)))": "steps on the largest product that the limits allow, must be at most 100000",
	} {
		_, err := Compile(Source{"policy.rules", []Rule{{"fine", "true", Weak}, {"no-alcohol", when, Severe}}})
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, `policy.rules[1] "no-alcohol": `)
	}
	_, err := Compile(Source{"a", []Rule{{"Name", "true", Weak}, {"x", "true", "maybe"}}}, Source{"b", []Rule{{"x", "true", Weak}}})
	for _, says := range []string{`a[0] "Name": name must be lower-case letters, digits and single hyphens`, `a[1] "x": then is "maybe", must be one of [severe uncertain weak relevant]`, `b[0] "x": another rule has this name already`} {
		require.ErrorContains(t, err, says)
	}
}

func TestParse_NamesTheLineOfAnUnknownKey(t *testing.T) {
	read, err := Parse([]byte("- name: a\n  when: \"true\"\n  then: weak\n"))
	require.NoError(t, err)
	require.Equal(t, []Rule{{"a", "true", Weak}}, read)
	_, err = Parse([]byte("- name: a\n  if: \"true\"\n"))
	require.ErrorContains(t, err, "line 2: field if not found")
	read, err = Parse(nil)
	require.NoError(t, err)
	require.Empty(t, read)
}

// The version changes with every word of a rule and with their order, and with nothing else.
func TestVersion_NamesTheRules(t *testing.T) {
	a, b := Rule{"a", "true", Weak}, Rule{"b", "false", Severe}
	version := compile(t, a, b).Version()
	require.Equal(t, version, compile(t, a, b).Version())
	require.NotEqual(t, version, compile(t, b, a).Version())
	require.NotEqual(t, compile(t, a).Version(), compile(t, Rule{"a", "true", Severe}).Version())
	require.Equal(t, "none", (*Set)(nil).Version())
	none, err := Compile(Source{})
	require.NoError(t, err)
	require.Nil(t, none)
}

// Whatever is written as a rule, compiling it ends; whatever it is asked, it answers.
func FuzzCompile(f *testing.F) {
	f.Add("title.without(['root beer']).has_word(['beer'])", "Beer", "theme")
	f.Add("attributes.exists(k, attributes[k] == title) || severe > 0.5", "", "")
	f.Add("title.matches('^a+$') ? relevant > weak : size(theme) > 3", "aaa", "é’")
	f.Fuzz(func(t *testing.T, when, title, theme string) {
		set, err := Compile(Source{"fuzz", []Rule{{"a", when, Severe}}})
		if err == nil {
			set.Read(theme, "").First(Product{Title: title, Attributes: map[string]string{"k": title}, Probabilities: fine})
		}
	})
}
