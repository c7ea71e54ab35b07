package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"

	hazards "github.com/winnowgate/winnow/deploy/rules"
	"github.com/winnowgate/winnow/processor/judge"
	"github.com/winnowgate/winnow/processor/judge/rules"
)

// Policy says when a placement may be shown; thresholds of 0 are the bundle's.
type Policy struct {
	MinProducts        int          `yaml:"min_products" env:"MIN_PRODUCTS"`
	Uncertain          judge.Choice `yaml:"uncertain" env:"UNCERTAIN"`
	Severe             judge.Choice `yaml:"severe" env:"SEVERE"`
	SevereThreshold    float64      `yaml:"severe_threshold" env:"SEVERE_THRESHOLD"`
	ReviewThreshold    float64      `yaml:"review_threshold" env:"REVIEW_THRESHOLD"`
	WeakThreshold      float64      `yaml:"weak_threshold" env:"WEAK_THRESHOLD"`
	Rules              []rules.Rule `yaml:"rules"`                       // tried first; no environment variable can hold them
	RulesFile          string       `yaml:"rules_file" env:"RULES_FILE"` // tried then: a file, or hazards, those inside the binary
	MaxDeadLetterShare float64      `yaml:"max_dead_letter_share" env:"MAX_DEAD_LETTER_SHARE"`

	PruneWeak *bool `yaml:"prune_weak,omitempty" env:"PRUNE_WEAK"` // of policy 1: false is a weak_threshold of 1, true says nothing
}

// KeepsWeak reports whether weak products stay because a configuration of policy 1 says so.
func (p *Policy) KeepsWeak() bool { return p.PruneWeak != nil && !*p.PruneWeak }

func defaultPolicy() Policy {
	return Policy{MinProducts: 3, Uncertain: judge.Prune, Severe: judge.Tombstone, Rules: []rules.Rule{}, MaxDeadLetterShare: 0.5}
}

// validate leaves what depends on the bundle's thresholds to the gate.
func (p *Policy) validate(check func(ok bool, format string, values ...any)) {
	share := func(key string, value float64) {
		check(value >= 0 && value <= 1, "%s is %v, must be 0 to 1", key, value)
	}
	check(p.Uncertain == judge.Prune || p.Uncertain == judge.Hold, "policy.uncertain is %q, must be %s or %s", p.Uncertain, judge.Prune, judge.Hold)
	check(p.Severe == judge.Tombstone || p.Severe == judge.Prune, "policy.severe is %q, must be %s or %s", p.Severe, judge.Tombstone, judge.Prune)
	share("policy.severe_threshold", p.SevereThreshold)
	share("policy.review_threshold", p.ReviewThreshold)
	share("policy.weak_threshold", p.WeakThreshold)
	check(!p.KeepsWeak() || p.WeakThreshold == 0 || p.WeakThreshold == 1, "policy.weak_threshold is %v and policy.prune_weak, which it replaced, is false: remove policy.prune_weak", p.WeakThreshold)
	share("policy.max_dead_letter_share", p.MaxDeadLetterShare)
	_, err := p.CompileRules()
	check(err == nil, "%w", err)
}

// CompileRules returns the rules in the order in which they are tried: those of one's own, so that an exception wins, and then
// those of the file.
func (p *Policy) CompileRules() (*rules.Set, error) {
	sources := []rules.Source{{Name: "policy.rules", Rules: p.Rules}}
	if p.RulesFile != "" {
		shared, err := ReadRules(p.RulesFile)
		if err != nil {
			return nil, fmt.Errorf("policy.rules_file: %w", err)
		}
		sources = append(sources, shared)
	}
	return rules.Compile(sources...)
}

// ReadRules reads a file of rules; hazards.Name is the one inside the binary.
func ReadRules(path string) (rules.Source, error) {
	data := hazards.YAML()
	if path != hazards.Name {
		var err error
		if data, err = os.ReadFile(path); err != nil {
			return rules.Source{}, fmt.Errorf("%w (must be a file, or %s for the rules inside the binary)", err, hazards.Name)
		}
	}
	read, err := rules.Parse(data)
	if err != nil {
		return rules.Source{}, fmt.Errorf("%s: %w", path, err)
	}
	if len(read) == 0 {
		return rules.Source{}, errors.New(path + " holds no rules")
	}
	return rules.Source{Name: path, Rules: read}, nil
}

// What is refused with a word on what to write instead.
var rulesInEnv = regexp.MustCompile(`_POLICY_RULES\b`)

func instead(names string) string {
	if rulesInEnv.MatchString(names) {
		return ": rules are a list, which a variable can't hold; name a file of them by WINNOW_POLICY_RULES_FILE"
	}
	return ""
}
