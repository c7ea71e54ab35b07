// Package schema holds the records that cross Winnow's boundary: their Avro schemas, their encoding and the limits that
// an input must keep.
package schema

import "time"

// Candidate is a placement that a generator proposes.
type Candidate struct {
	PlacementID string     `avro:"placement_id" json:"placement_id"`
	Theme       string     `avro:"theme" json:"theme"`
	Products    []Product  `avro:"products" json:"products"`
	Generator   *string    `avro:"generator" json:"generator,omitempty"`
	CreatedAt   *time.Time `avro:"created_at" json:"created_at,omitempty"`
}

// Product is one entry of a placement.
type Product struct {
	ProductID  string            `avro:"product_id" json:"product_id"`
	Title      string            `avro:"title" json:"title"`
	Attributes map[string]string `avro:"attributes" json:"attributes,omitempty"`
}

// Scored is a product with its calibrated probabilities, which sum to 1.
type Scored struct {
	ProductID string  `avro:"product_id" json:"product_id"`
	Title     string  `avro:"title" json:"title"`
	Relevant  float64 `avro:"relevant" json:"relevant"`
	Weak      float64 `avro:"weak" json:"weak"`
	Severe    float64 `avro:"severe" json:"severe"`

	Attributes map[string]string `avro:"attributes" json:"attributes,omitempty"` // as the generator gave them
}

// Pruned is a product that was left out of a placement, with the reason code and its calibrated probabilities; all three are
// 0 where the model has not read it.
type Pruned struct {
	ProductID string  `avro:"product_id" json:"product_id"`
	Title     string  `avro:"title" json:"title"`
	Reason    string  `avro:"reason" json:"reason"`
	Relevant  float64 `avro:"relevant" json:"relevant"`
	Weak      float64 `avro:"weak" json:"weak"`
	Severe    float64 `avro:"severe" json:"severe"`

	Attributes map[string]string `avro:"attributes" json:"attributes,omitempty"` // as the generator gave them
}

// Decision says how a verdict came about.
type Decision struct {
	ID        string    `avro:"id"`
	DecidedAt time.Time `avro:"decided_at"`
	Model     string    `avro:"model"`    // name@digest prefix
	Policy    string    `avro:"policy"`   // version of the policy, thresholds included
	Provider  string    `avro:"provider"` // execution provider that scored
}

// Approved is a placement that may be shown.
type Approved struct {
	PlacementID string   `avro:"placement_id"`
	Theme       string   `avro:"theme"`
	Products    []Scored `avro:"products"`
	Pruned      []Pruned `avro:"pruned"`
	Generator   *string  `avro:"generator"`
	Decision    Decision `avro:"decision"`
}

// Tombstone is a severe violation: the products that must never be shown under this theme.
type Tombstone struct {
	PlacementID string   `avro:"placement_id"`
	Theme       string   `avro:"theme"`
	Violations  []Scored `avro:"violations"`
	Generator   *string  `avro:"generator"`
	Decision    Decision `avro:"decision"`
}

// Review is a placement for a person to label.
type Review struct {
	PlacementID string   `avro:"placement_id"`
	Theme       string   `avro:"theme"`
	Products    []Scored `avro:"products"`
	Pruned      []Pruned `avro:"pruned"`
	Reasons     []string `avro:"reasons"`
	Generator   *string  `avro:"generator"`
	Decision    Decision `avro:"decision"`
}
