package judge

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTitleKey_FoldsWhatAShopperWouldCallTheSame(t *testing.T) {
	for _, same := range [][]string{
		{"Oat Milk, Vanilla", "VANILLA oat-milk milk"},
		{"Crème brûlée", "Cre\u0300me bru\u0302le\u0301e", "CRÈME BRÛLÉE!"},
		{"Bacon", "bac\u00adon", "Bacon™", "Ｂａｃｏｎ", "Bacon 🎉"},
		{"Shrimp 🦐 bowl", "Shrimp🦐 bowl", "shrimp bowl"},
		{"Oats 16 oz", "Oats 16oz", "16 OZ. oats", "OATS, 16-oz", "Oats | 16 oz"},
		{"Oil 0.5 L", "Oil 0.50 L", "Oil .5 l", "Oil 0,5L"},
		{"Tomatoes 4 x 6 oz", "Tomatoes 4x6oz", "Tomatoes 4 × 6 oz"},
		{"Milk 1% 1 gallon", "1 gallon milk, 1 %", "MILK 1.0% 1 GALLON"},
		{"Milk 1/2 gallon", "Milk ½ gallon"},
		{"Napkins 1,000 count", "Napkins, 1000 count"},
		{"Soda 12 oz 6 pack", "Soda 6 pack 12 oz"},
		{"Vitamin B12", "B12 vitamin"},
		{"Flour 5㎏", "Flour 5 kg"},
	} {
		for _, title := range same {
			require.Equal(t, titleKey(same[0]), titleKey(title), "%+q", title)
		}
	}
}

func TestTitleKey_KeepsSizesPacksAndSharesApart(t *testing.T) {
	for _, different := range [][]string{
		{"Oat Milk 32 oz", "Oat Milk 64 oz", "Oat Milk"},
		{"Extra virgin olive oil 0.5 L", "Extra virgin olive oil 5.0 L", "Extra virgin olive oil 5 ml", "Extra virgin olive oil 0,5 ml"},
		{"Mozzarella 1.5 kg", "Mozzarella 5.1 kg", "Mozzarella 15 kg", "Mozzarella 1 5 kg"},
		{"Crushed tomatoes 4 x 6 oz", "Crushed tomatoes 6 x 4 oz", "Crushed tomatoes 46 oz", "Crushed tomatoes 4 oz 6 oz"},
		{"Milk 1 gallon", "Milk 1% 1 gallon", "Milk 2% 1 gallon", "Milk 1% 2 gallon", "Whole milk 1 gallon"},
		{"Milk 1/2 gallon", "Milk 12 gallon", "Milk 2/1 gallon", "Milk 1 1/2 gallon", "Milk 11/2 gallon"},
		{"4 apples, 6 pears", "6 apples, 4 pears"},
		{"Cheese 5 €", "Cheese 5"},
		{"Rice 1.000 g", "Rice 1 g"},
		{"Diapers 10-12", "Diapers 1012", "Diapers 12-10"},
		{"🍕", "🍔"},
		{"🔒", "🔓"},
		{"Toy 🔒", "Toy 🔓"},
	} {
		for i, title := range different {
			for _, other := range different[:i] {
				require.NotEqual(t, titleKey(other), titleKey(title), "%q and %q", other, title)
			}
		}
	}
}

func TestTitleKey_IsBlindToOrderCaseAndPunctuation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringMatching(`[a-zé]{1,6}|[1-9][0-9]{0,2}(\.[1-9])? ?(oz|ml|%)`), 1, 8).Draw(t, "parts")
		shuffled := append([]string{}, parts...)
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).Shuffle(len(shuffled), func(i, j int) {
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
		})
		between := rapid.SampledFrom([]string{" ", ", ", " | ", "; "}).Draw(t, "between")
		require.Equal(t, titleKey(strings.Join(parts, " ")), titleKey(strings.ToUpper(strings.Join(shuffled, between))+"!"))
	})
}

// Whatever else a title says, another number is another product.
func TestTitleKey_AnotherNumberIsAnotherProduct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringMatching(`(0|[1-9][0-9]{0,2})(\.[0-9]?[1-9])?`)
		one, other := number.Draw(t, "one"), number.Draw(t, "other")
		before, after := rapid.StringMatching(`([a-z]{1,5} )*`).Draw(t, "before"), rapid.SampledFrom([]string{"", " oz", "oz", " %", "%", " x 6 oz", "/2 lb"}).Draw(t, "after")
		if one != other {
			require.NotEqual(t, titleKey(before+one+after), titleKey(before+other+after))
			require.NotEqual(t, titleKey(before+one+" x "+other), titleKey(before+other+" x "+one))
		}
		require.NotEqual(t, titleKey(before+after), titleKey(before+one+after))
	})
}
