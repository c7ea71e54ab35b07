package text

import "testing"

func BenchmarkFold(b *testing.B) {
	for name, title := range map[string]string{
		"plain":   "GREAT VALUE, ORGANIC WHOLE GRAIN ROLLED OATS, 42 OZ",
		"accents": "Crème brûlée, 4 × 100 g",
		"symbols": "Shrimp🦐 and rice bowl ✅ 100% natural",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Fold(title)
			}
		})
	}
}
