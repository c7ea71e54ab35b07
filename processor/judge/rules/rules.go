// Package rules decides products by what merchandisers write down, beside the model: an expression in CEL over a placement's
// theme and a product, and the label that it gives. Evaluation is bounded, has no effects, and knows no time, so the same
// product gets the same answer everywhere.
package rules

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"go.yaml.in/yaml/v3"

	"github.com/winnowgate/winnow/model"
)

// Then is what a rule says of a product.
type Then string

// What a rule may say.
const (
	Severe    Then = "severe"
	Uncertain Then = "uncertain"
	Weak      Then = "weak"
	Relevant  Then = "relevant"
)

// Rule is one line of a merchandiser's mind.
type Rule struct {
	Name string `yaml:"name" json:"name"`
	When string `yaml:"when" json:"when"` // CEL; true: the rule decides the product
	Then Then   `yaml:"then" json:"then"`
}

// Parse reads rules from YAML: a list of name, when and then. A key that it does not know is an error that names its line.
func Parse(data []byte) ([]Rule, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	var parsed []Rule
	if err := decoder.Decode(&parsed); err != nil && !errors.Is(err, io.EOF) { // io.EOF: the file is empty
		return nil, err
	}
	return parsed, nil
}

// Source is a list of rules and what to call it in errors, such as policy.rules.
type Source struct {
	Name  string
	Rules []Rule
}

// Set is compiled rules, in the order in which they are tried. It is safe for concurrent use; nil holds no rule.
type Set struct {
	rules    []compiled
	table    *table
	unknowns []*cel.AttributePatternType // the variables that differ from product to product
	version  string
}

// compiled is a rule as three programs. What a theme alone rules out need not be asked of each product: onPlacement answers
// before any product is known. What a product of ordinary size costs is bounded when the rule is compiled, and counting it
// would double it: counted is for larger ones.
type compiled struct {
	Rule
	onPlacement, onProduct, counted cel.Program
}

// mostName keeps the header that lists a verdict's reasons small.
const mostName = 64

var ruleName = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9])*$`)

// Compile returns the rules of all sources, one after the other; nil where there are none. An error names every rule that is
// wrong and points at where.
func Compile(sources ...Source) (*Set, error) {
	set := &Set{table: newTable()}
	for _, name := range []string{varTitle, hidden + varTitle, varProductID, varAttributes, varRelevant, varWeak, varSevere} {
		set.unknowns = append(set.unknowns, cel.AttributePattern(name))
	}
	environment, err := newEnvironment(set.table)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	var problems []error
	names := map[string]bool{}
	digest := sha256.New()
	for _, source := range sources {
		for i, rule := range source.Rules {
			ready, err := rule.compile(environment)
			if names[rule.Name] {
				err = errors.Join(err, errors.New("another rule has this name already"))
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("%s[%d] %q: %w", source.Name, i, rule.Name, err))
			}
			names[rule.Name] = true
			set.rules = append(set.rules, ready)
			fmt.Fprintf(digest, "%q %q %q\n", rule.Name, rule.When, rule.Then)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if len(set.rules) == 0 {
		return nil, nil //nolint:nilnil // no rules are no set, and no error
	}
	set.version = fmt.Sprintf("%x", digest.Sum(nil)[:4])
	return set, nil
}

func (r Rule) compile(environment *cel.Env) (compiled, error) {
	var problems []error
	if !ruleName.MatchString(r.Name) || len(r.Name) > mostName {
		problems = append(problems, fmt.Errorf("name must be lower-case letters, digits and single hyphens between them, at most %d", mostName))
	}
	if known := []Then{Severe, Uncertain, Weak, Relevant}; !slices.Contains(known, r.Then) {
		problems = append(problems, fmt.Errorf("then is %q, must be one of %v", r.Then, known))
	}
	if strings.TrimSpace(r.When) == "" {
		return compiled{}, errors.Join(append(problems, errors.New("when is empty, must be an expression"))...)
	}
	expression, issues := environment.Compile(r.When)
	if issues.Err() != nil {
		return compiled{}, errors.Join(append(problems, pointed(issues, r.When))...)
	}
	if kind := expression.OutputType(); !kind.IsExactType(cel.BoolType) {
		problems = append(problems, fmt.Errorf("when is of type %s, must be true or false", kind))
	}
	if variable, found := shadowed(expression); found {
		problems = append(problems, fmt.Errorf("%s is a variable of every rule, call the one that walks over a list otherwise", variable))
	}
	problems = append(problems, checkCost(environment, expression))
	program := func(options ...cel.ProgramOption) cel.Program {
		program, err := environment.Program(expression, append(options, cel.EvalOptions(cel.OptOptimize))...)
		problems = append(problems, err)
		return program
	}
	return compiled{
		Rule: r, onPlacement: program(cel.EvalOptions(cel.OptPartialEval)), onProduct: program(), counted: program(cel.CostTracking(coster{}), cel.CostLimit(costLimit)),
	}, errors.Join(problems...)
}

// pointed writes each issue as line:column: what is wrong, with the line and a caret below it.
func pointed(issues *cel.Issues, expression string) error {
	lines := strings.Split(expression, "\n")
	var problems []error
	for _, issue := range issues.Errors() {
		line, column := issue.Location.Line(), issue.Location.Column()
		message := fmt.Sprintf("%d:%d: %s", line, column+1, strings.TrimSuffix(issue.Message, " (in container '')"))
		if 1 <= line && line <= len(lines) {
			message += fmt.Sprintf("\n  | %s\n  | %s^", lines[line-1], strings.Repeat(".", column))
		}
		problems = append(problems, errors.New(message))
	}
	return errors.Join(problems...)
}

// Version names the rules in verdicts: the start of a digest over every one, or none.
func (s *Set) Version() string {
	if s == nil {
		return "none"
	}
	return s.version
}

// Rules returns what was compiled, in order.
func (s *Set) Rules() []Rule {
	if s == nil {
		return nil
	}
	rules := make([]Rule, len(s.rules))
	for i, rule := range s.rules {
		rules[i] = rule.Rule
	}
	return rules
}

// Product is what a rule reads of a product.
type Product struct {
	ProductID, Title string
	Attributes       map[string]string
	Probabilities    model.Probabilities
}

// Match is the rule that decides a product.
type Match struct {
	Name string
	Then Then
	Err  error // the rule could not be evaluated, so Then is Uncertain
}
