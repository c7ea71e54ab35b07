package model

// Bounds on a pair's tokens: three special ones and one of each side at least; at most what relative positions of
// DeBERTa's published checkpoints cover.
const (
	MinTokens = 5
	MaxTokens = 512
)

// Encoded is one side of a pair, as the model reads it. What it doesn't read it can't judge either: any one word may be the
// one that matters.
type Encoded struct {
	IDs      []int64  // without special tokens
	Unread   []string // words that the vocabulary lacks (another script, a look-alike letter); the whole side if it has no word
	Puzzling []string // symbols that nobody gave a meaning; in a theme they may be what it asks for
}

// JoinPair assembles [CLS] theme [SEP] title [SEP] from the two sides' ids, each encoded alone without special tokens.
// What exceeds MaxTokens is cut from the end of the longer side, exactly as Hugging Face's longest_first does it, so the
// closing [SEP] always stays.
func (m *Manifest) JoinPair(theme, title []int64) []int64 {
	keepTheme, keepTitle := longestFirst(len(theme), len(title), m.MaxTokens-3)
	ids := make([]int64, 0, keepTheme+keepTitle+3)
	ids = append(ids, m.SpecialTokens.CLS)
	ids = append(ids, theme[:keepTheme]...)
	ids = append(ids, m.SpecialTokens.SEP)
	ids = append(ids, title[:keepTitle]...)
	return append(ids, m.SpecialTokens.SEP)
}

// Fits reports whether JoinPair keeps the whole of both sides.
func (m *Manifest) Fits(theme, title []int64) bool { return len(theme)+len(title)+3 <= m.MaxTokens }

// longestFirst returns how much of two sides of the given lengths fits into limit tokens.
// Source: TruncationStrategy::LongestFirst in huggingface/tokenizers, utils/truncation.rs.
func longestFirst(first, second, limit int) (int, int) {
	if first+second <= limit {
		return first, second
	}
	shorter := min(first, second)
	longer := shorter
	if shorter <= limit {
		longer = max(shorter, limit-shorter)
	}
	if shorter+longer > limit {
		shorter = limit / 2
		longer = shorter + limit%2
	}
	if first > second {
		return longer, shorter
	}
	return shorter, longer
}
