package schema

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// Limits bound what one candidate may cost, before anything is spent on it.
type Limits struct {
	RecordBytes int `yaml:"record_bytes" env:"RECORD_BYTES"` // the encoded record
	Products    int `yaml:"products" env:"PRODUCTS"`         // products of one placement
	StringBytes int `yaml:"string_bytes" env:"STRING_BYTES"` // any one string
	Attributes  int `yaml:"attributes" env:"ATTRIBUTES"`     // attributes of one product
}

// DefaultLimits are far above real placements: titles are some 50 bytes, carousels some 20 products, so 1 MiB holds 256
// products whose id and title are both a generous 2 KiB.
func DefaultLimits() Limits {
	return Limits{RecordBytes: 1 << 20, Products: 256, StringBytes: 8 << 10, Attributes: 64}
}

// Validate reports every limit that is not positive.
func (l Limits) Validate() error {
	var problems []error
	for _, limit := range []struct {
		name  string
		value int
	}{{"record_bytes", l.RecordBytes}, {"products", l.Products}, {"string_bytes", l.StringBytes}, {"attributes", l.Attributes}} {
		if limit.value < 1 {
			problems = append(problems, fmt.Errorf("%s is %d, must be at least 1", limit.name, limit.value))
		}
	}
	return errors.Join(problems...)
}

// Check returns an *Error of class limit or invalid when a candidate breaks a limit or lacks what every placement has.
func (l Limits) Check(candidate *Candidate) error {
	if candidate.PlacementID == "" {
		return invalid("placement_id is empty")
	}
	if len(candidate.Products) == 0 {
		return invalid("products is empty: a placement needs at least one product")
	}
	if len(candidate.Products) > l.Products {
		return &Error{ClassLimit, fmt.Errorf("%d products, the limit is %d", len(candidate.Products), l.Products)}
	}
	if err := l.checkText("placement_id", candidate.PlacementID); err != nil {
		return err
	}
	if err := l.checkRequired("theme", candidate.Theme); err != nil {
		return err
	}
	if candidate.Generator != nil {
		if err := l.checkText("generator", *candidate.Generator); err != nil {
			return err
		}
	}
	for i, product := range candidate.Products {
		if err := l.checkText(fmt.Sprintf("products[%d].product_id", i), product.ProductID); err != nil {
			return err
		}
		if err := l.checkRequired(fmt.Sprintf("products[%d].title", i), product.Title); err != nil {
			return err
		}
		if err := l.checkAttributes(i, product.Attributes); err != nil {
			return err
		}
	}
	return nil
}

func (l Limits) checkAttributes(product int, attributes map[string]string) error {
	if len(attributes) > l.Attributes {
		return &Error{ClassLimit, fmt.Errorf("products[%d] has %d attributes, the limit is %d", product, len(attributes), l.Attributes)}
	}
	for _, key := range slices.Sorted(maps.Keys(attributes)) { // sorted, so that the same record gets the same error
		if err := l.checkText(fmt.Sprintf("products[%d].attributes: a key", product), key); err != nil {
			return err
		}
		if err := l.checkText(fmt.Sprintf("products[%d].attributes[%q]", product, key), attributes[key]); err != nil {
			return err
		}
	}
	return nil
}

func (l Limits) checkRequired(name, value string) error {
	if value == "" {
		return invalid(name + " is empty")
	}
	return l.checkText(name, value)
}

func (l Limits) checkText(name, value string) error {
	if len(value) > l.StringBytes {
		return &Error{ClassLimit, fmt.Errorf("%s has %d bytes, the limit is %d", name, len(value), l.StringBytes)}
	}
	if !utf8.ValidString(value) {
		return invalid(name + " is not valid UTF-8")
	}
	return nil
}

func invalid(message string) error { return &Error{ClassInvalid, errors.New(message)} }
