// Package hazards holds the rules that ship with Winnow, as a file to copy and inside the binary.
package hazards

import _ "embed"

// Name is what policy.rules_file calls the rules inside the binary.
const Name = "hazards"

//go:embed hazards.yaml
var hazardsYAML []byte

// YAML returns hazards.yaml.
func YAML() []byte { return hazardsYAML }
