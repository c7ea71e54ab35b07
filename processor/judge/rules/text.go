package rules

import (
	"errors"
	"reflect"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// textType is what without returns and has_word asks: a string's words. It can't be written in a rule.
var textType = cel.OpaqueType("text")

// text is a string whose words are read when a rule asks for them first, and which remembers its answers: a theme is asked the
// same for each of its products. It belongs to one goroutine.
type text struct {
	raw     string
	table   *table
	words   []word
	read    bool // words are those of raw
	named   bool // some rule names one of them
	answers []answer
	without []*text
}

type answer int8

const (
	unasked answer = iota
	yes
	no
)

func newText(table *table, raw string) *text { return &text{table: table, raw: raw} }

// reset makes the text another one, and keeps its memory.
func (t *text) reset(raw string) {
	t.raw, t.words, t.read = raw, t.words[:0], false
	clear(t.answers)
	clear(t.without)
}

// silent reports whether no rule names a word of the text, which answers most questions.
func (t *text) silent() bool {
	if !t.read {
		t.words, t.named = t.table.vocabulary.read(t.words, t.raw)
		t.read = true
	}
	return !t.named
}

func (t *text) has(number int) bool {
	if t.silent() {
		return false
	}
	if t.answers == nil {
		t.answers = make([]answer, len(t.table.phrases))
	}
	if t.answers[number] == unasked {
		t.answers[number] = no
		if t.table.phrases[number].in(t.words) {
			t.answers[number] = yes
		}
	}
	return t.answers[number] == yes
}

func (t *text) cut(number int) *text {
	if t.silent() {
		return t
	}
	if t.without == nil {
		t.without = make([]*text, len(t.table.phrases))
	}
	if t.without[number] == nil {
		t.without[number] = t
		if kept := t.table.phrases[number].cut(t.words); &kept[0] != &t.words[0] {
			t.without[number] = &text{table: t.table, raw: t.raw, words: kept, read: true, named: true}
		}
	}
	return t.without[number]
}

// ConvertToNative implements ref.Val.
func (t *text) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New("a text is nothing but its words")
}

// ConvertToType implements ref.Val.
func (t *text) ConvertToType(ref.Type) ref.Val {
	return types.NewErr("a text is nothing but its words")
}

// Equal implements ref.Val.
func (t *text) Equal(other ref.Val) ref.Val {
	same, ok := other.(*text)
	return types.Bool(ok && t.raw == same.raw && t.silent() == same.silent() && slices.Equal(t.words, same.words))
}

// Type implements ref.Val.
func (t *text) Type() ref.Type { return textType }

// Value implements ref.Val.
func (t *text) Value() any { return t }
