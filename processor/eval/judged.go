package eval

import (
	"github.com/winnowgate/winnow/model"
	"github.com/winnowgate/winnow/processor/judge"
)

// judged is what a policy finds of the placements of a file, as they stand there.
type judged struct {
	policy judge.Policy
	file   Labelled
	hard   map[string]bool   // themes with a severe product
	found  [][]judge.Finding // by placement
}

// judgeFile asks the policy. products are those of the file's pairs, scored.
func judgeFile(policy judge.Policy, file Labelled, products []judge.Product) judged {
	j := judged{policy: policy, file: file, hard: map[string]bool{}, found: make([][]judge.Finding, len(file.Placements))}
	for _, pair := range file.Pairs {
		if pair.Label == model.LabelSevere {
			j.hard[pair.Theme] = true
		}
	}
	for i, placement := range file.Placements {
		asked := judge.Placement{Theme: placement.Theme, Products: make([]judge.Product, len(placement.Pairs))}
		for k, pair := range placement.Pairs {
			asked.Products[k] = products[pair]
		}
		j.found[i] = policy.Find(asked)
	}
	return j
}

func all(Placement) bool { return true }

// own counts those placements as they stand.
func (j judged) own(those func(Placement) bool) *tally {
	counted := newTally()
	for i, placement := range j.file.Placements {
		if those(placement) {
			counted.add(j.policy, j.found[i], j.labelsOf(placement.Pairs), j.hard[placement.Theme])
		}
	}
	return counted
}

// drawn counts placements of size products that are made of the file's. In those no product repeats another: one that is drawn
// again stands for one that the file lacks.
func (j judged) drawn(size int, mix Mix) *tally {
	alone := make([]judge.Finding, len(j.file.Pairs))
	for i, placement := range j.file.Placements {
		for k, pair := range placement.Pairs {
			alone[pair] = j.found[i][k].Alone()
		}
	}
	counted, findings := newTally(), make([]judge.Finding, size)
	for pairs := range j.file.draws(size, mix) {
		for i, pair := range pairs {
			findings[i] = alone[pair]
		}
		counted.add(j.policy, findings, j.labelsOf(pairs), j.hard[j.file.Pairs[pairs[0]].Theme])
	}
	return counted
}

func (j judged) labelsOf(pairs []int) []string {
	labels := make([]string, len(pairs))
	for i, pair := range pairs {
		labels[i] = j.file.Pairs[pair].Label
	}
	return labels
}

// rules counts what each rule decides of the products of the file, in the order in which rules are tried.
func (j judged) rules(without judged) []RuleCount {
	counts, places := []RuleCount{}, map[string]int{}
	for i, rule := range j.policy.Rules.Rules() {
		counts = append(counts, RuleCount{Name: rule.Name, Then: rule.Then})
		places[rule.Name] = i
	}
	for i, placement := range j.file.Placements {
		for k, finding := range j.found[i] {
			if finding.Rule == "" {
				continue
			}
			count := &counts[places[finding.Rule]]
			count.count(j.file.Pairs[placement.Pairs[k]].Label, finding.Err)
			count.Changed += one(finding.Alone().Class != without.found[i][k].Alone().Class)
		}
	}
	return counts
}
