package rules

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/parser"
)

// The variables of a rule.
const (
	varTheme      = "theme"
	varTitle      = "title"
	varProductID  = "product_id"
	varAttributes = "attributes"
	varGenerator  = "generator"
	varRelevant   = "relevant"
	varWeak       = "weak"
	varSevere     = "severe"
)

// What has_word and without become. No rule can write a name with an @, so none can be mistaken for these.
const (
	hidden      = "@"
	callText    = hidden + "text"
	callHasWord = hidden + "has_word"
	callWithout = hidden + "without"
)

// table holds the lists of has_word and without, each once: rules that ask the same of a text share the answer.
type table struct {
	vocabulary vocabulary
	phrases    []phrases
	numbers    map[string]int
}

func newTable() *table { return &table{vocabulary: vocabulary{}, numbers: map[string]int{}} }

func (t *table) number(texts []string) int {
	key := strings.Join(texts, "\x00")
	number, known := t.numbers[key]
	if !known {
		number = len(t.phrases)
		t.numbers[key] = number
		t.phrases = append(t.phrases, newPhrases(t.vocabulary, texts))
	}
	return number
}

// newEnvironment declares what a rule may say. The lists of has_word and without must be written out, so that they are
// folded once, when rules are compiled; they gather in table.
func newEnvironment(table *table) (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable(varTheme, cel.StringType), cel.Variable(varTitle, cel.StringType), cel.Variable(varProductID, cel.StringType),
		cel.Variable(varAttributes, cel.MapType(cel.StringType, cel.StringType)), cel.Variable(varGenerator, cel.StringType),
		cel.Variable(varRelevant, cel.DoubleType), cel.Variable(varWeak, cel.DoubleType), cel.Variable(varSevere, cel.DoubleType),
		cel.Variable(hidden+varTheme, textType), cel.Variable(hidden+varTitle, textType),
		cel.Macros(
			cel.ReceiverMacro("has_word", 1, table.expander(callHasWord)),
			cel.ReceiverMacro("without", 1, table.expander(callWithout)),
		),
		cel.Function(callText, cel.Overload(callText, []*cel.Type{cel.StringType}, textType, cel.UnaryBinding(func(value ref.Val) ref.Val {
			return newText(table, string(value.(types.String)))
		}))),
		cel.Function(callHasWord, cel.Overload(callHasWord, []*cel.Type{textType, cel.IntType}, cel.BoolType, cel.BinaryBinding(func(value, number ref.Val) ref.Val {
			return types.Bool(value.(*text).has(int(number.(types.Int))))
		}))),
		cel.Function(callWithout, cel.Overload(callWithout, []*cel.Type{textType, cel.IntType}, textType, cel.BinaryBinding(func(value, number ref.Val) ref.Val {
			return value.(*text).cut(int(number.(types.Int)))
		}))),
	)
}

// expander turns theme.has_word(['a', 'b']) into @has_word(@theme, 7), where 7 is the list's number in the table.
func (t *table) expander(call string) cel.MacroFactory {
	return func(helper parser.ExprHelper, target ast.Expr, arguments []ast.Expr) (ast.Expr, *common.Error) {
		texts, problem := literals(arguments[0])
		if problem != "" {
			return nil, helper.NewError(arguments[0].ID(), strings.TrimPrefix(call, hidden)+" "+problem)
		}
		number := helper.NewLiteral(types.Int(t.number(texts)))
		return helper.NewCall(call, asText(helper, target), number), nil
	}
}

// asText returns the words of what has_word or without is asked of. Those of the theme and the title are at hand.
func asText(helper parser.ExprHelper, target ast.Expr) ast.Expr {
	switch {
	case target.Kind() == ast.IdentKind && (target.AsIdent() == varTheme || target.AsIdent() == varTitle):
		return helper.NewIdent(hidden + target.AsIdent())
	case target.Kind() == ast.CallKind && target.AsCall().FunctionName() == callWithout:
		return target
	default:
		return helper.NewCall(callText, target)
	}
}

// literals returns the words and phrases that a list names.
func literals(list ast.Expr) (texts []string, problem string) {
	const expected = "takes a list of words and phrases that is written out, such as ['beer', 'red wine']"
	if list.Kind() != ast.ListKind || list.AsList().Size() == 0 {
		return nil, expected
	}
	for _, element := range list.AsList().Elements() {
		if element.Kind() != ast.LiteralKind {
			return nil, expected
		}
		value, ok := element.AsLiteral().(types.String)
		if !ok {
			return nil, expected
		}
		if len(foldWords(string(value))) == 0 {
			return nil, "holds '" + string(value) + "', which has no word: letters and digits make one"
		}
		texts = append(texts, string(value))
	}
	return texts, ""
}

// shadowed returns a variable of every rule that an expression means otherwise, in exists(title, ...) for example: has_word
// would ask the product's title.
func shadowed(compiled *cel.Ast) (name string, found bool) {
	names := []string{varTheme, varTitle, varProductID, varAttributes, varGenerator, varRelevant, varWeak, varSevere}
	ast.PostOrderVisit(compiled.NativeRep().Expr(), ast.NewExprVisitor(func(expr ast.Expr) {
		if expr.Kind() != ast.ComprehensionKind {
			return
		}
		for _, variable := range []string{expr.AsComprehension().IterVar(), expr.AsComprehension().IterVar2()} {
			if slices.Contains(names, variable) {
				name, found = variable, true
			}
		}
	}))
	return name, found
}
