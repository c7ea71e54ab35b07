package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
)

// FormatVersion is the version of the manifest format that bundles are built in today. Format 1 is still read.
const FormatVersion = 2

// The names of the files that every bundle holds.
const (
	ManifestFile  = "manifest.json"
	GraphFile     = "model.onnx"
	TokenizerFile = "tokenizer.json"
	CardFile      = "card.md"
)

// Manifest describes a bundle: what the graph computes, how its logits become probabilities and decisions, and where it
// comes from.
type Manifest struct {
	Format        int             `json:"format"`
	Name          string          `json:"name"`
	Labels        []string        `json:"labels"` // the graph's output columns, in order
	MaxTokens     int             `json:"max_tokens"`
	Arithmetic    string          `json:"arithmetic"` // FP32, or INT8 in the matrix products
	SpecialTokens SpecialTokens   `json:"special_tokens"`
	Calibration   Calibration     `json:"calibration"`
	Thresholds    Thresholds      `json:"thresholds"`
	Parity        Parity          `json:"parity"`
	Quantisation  *Quantisation   `json:"quantisation,omitempty"` // of INT8 alone
	Training      Training        `json:"training"`
	Metrics       Metrics         `json:"metrics"`
	Files         map[string]File `json:"files"`
}

// How a graph computes its matrix products.
const (
	FP32 = "fp32"
	INT8 = "int8"
)

// SpecialTokens are the ids that frame a pair, [CLS] theme [SEP] title [SEP] and then [PAD], and the id of whatever the
// vocabulary lacks.
type SpecialTokens struct {
	CLS int64 `json:"cls"`
	SEP int64 `json:"sep"`
	PAD int64 `json:"pad"`
	UNK int64 `json:"unk"`
}

// Calibration turns logits into probabilities: softmax(logits / temperature + biases).
type Calibration struct {
	Temperature float64   `json:"temperature"`
	Biases      []float64 `json:"biases,omitempty"` // one a label, in the order of Labels; none in format 1
	Prior       *Prior    `json:"prior,omitempty"`  // the mix of labels that the probabilities are meant for; none in format 1
	Method      string    `json:"method"`
}

// Prior holds the shares of the three labels among products of traffic.
type Prior struct {
	Relevant float64 `json:"relevant"`
	Weak     float64 `json:"weak"`
	Severe   float64 `json:"severe"`
}

// Thresholds turn a product's probabilities into what becomes of it.
type Thresholds struct {
	Severe Threshold `json:"severe"` // of P(severe): from here on a product is a violation
	Review Threshold `json:"review"` // of P(severe): from here up to Severe it is uncertain
	Weak   Threshold `json:"weak"`   // of P(weak): from here on it is weak
}

// Threshold is a probability and why it is that one.
type Threshold struct {
	Value       float64    `json:"value"`
	Method      string     `json:"method"`       // what is bounded, how, and what that assumes
	Bound       float64    `json:"bound"`        // what it was fitted to keep
	Reached     float64    `json:"reached"`      // the same figure on the pairs that it was fitted on
	Interval    [2]float64 `json:"interval"`     // 95 % interval of Reached
	SevereShare float64    `json:"severe_share"` // of products in traffic, where the bound depends on it; else 0
	Positives   int        `json:"positives"`    // pairs of the label that it is about
	Pairs       int        `json:"pairs"`        // all pairs behind it
}

// Parity says how far the graph in fp32 is from the checkpoint that it was built from.
type Parity struct {
	Pairs                  int     `json:"pairs"`
	LargestLogitDifference float64 `json:"largest_logit_difference"`
}

// Quantisation says what 8 bits changed, held against the graph in fp32 at the bundle's thresholds.
type Quantisation struct {
	Pairs                  int      `json:"pairs"`
	DecisionFlips          float64  `json:"decision_flips"`     // share of pairs
	SevereToApproved       float64  `json:"severe_to_approved"` // share of pairs
	LargestLogitDifference float64  `json:"largest_logit_difference"`
	Products               int      `json:"products"` // matrix products in 8 bits
	KeptFP32               []string `json:"kept_fp32"`
	Batches                int      `json:"batches"`
	Spread                 float64  `json:"spread"` // of one pair's logits over that many random batches
}

// Training says what the weights were made from.
type Training struct {
	Base        string `json:"base"`
	BaseLicence string `json:"base_licence"`
	Data        string `json:"data"`
	DataLicence string `json:"data_licence"`
	Pairs       int    `json:"pairs"`
}

// Metrics are the figures reached on pairs whose themes were never trained on.
type Metrics struct {
	PairMetrics
	Families   map[string]PairMetrics `json:"families,omitempty"`   // by kind of theme
	Placements []PlacementMetrics     `json:"placements,omitempty"` // by size, without rules
}

// PairMetrics are figures of pairs, each decided alone.
type PairMetrics struct {
	Pairs                    int     `json:"pairs"`
	Severe                   int     `json:"severe,omitempty"` // pairs labelled so; none in format 1
	SevereAUC                float64 `json:"severe_auc"`
	SevereAveragePrecision   float64 `json:"severe_average_precision"`
	MacroF1                  float64 `json:"macro_f1"`
	FalseApprovalRate        float64 `json:"false_approval_rate"` // severe pairs below Thresholds.Review
	ReviewRate               float64 `json:"review_rate"`         // pairs from Thresholds.Review up to Thresholds.Severe
	ExpectedCalibrationError float64 `json:"expected_calibration_error"`
}

// PlacementMetrics are figures of placements with the shares of traffic, under the default policy.
type PlacementMetrics struct {
	Products      int     `json:"products"` // of each placement
	Placements    int     `json:"placements"`
	CleanApproved float64 `json:"clean_approved"` // of placements without a severe product
	CleanKilled   float64 `json:"clean_killed"`
	CleanHeld     float64 `json:"clean_held"`
	SevereShown   float64 `json:"severe_shown"`  // of severe products
	RelevantKept  float64 `json:"relevant_kept"` // of relevant products in approved placements
}

// File is the size and the SHA-256, in hexadecimal, of one file of a bundle.
type File struct {
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

func parseManifest(data []byte) (Manifest, error) {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return Manifest{}, err
	}
	var manifest Manifest
	var err error
	if version.Format == 1 {
		manifest, err = parseFormat1(data)
	} else {
		err = decodeStrictly(data, &manifest)
	}
	if err != nil {
		return Manifest{}, err
	}
	return manifest, manifest.validate()
}

func decodeStrictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// ValidName reports whether a bundle can have that name: verdicts name a model NAME@DIGEST, in headers and in lists.
func ValidName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(char rune) bool { return char == '@' || unicode.IsSpace(char) })
}

func (m *Manifest) validate() error {
	var problems []error
	check := func(ok bool, format string, values ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, values...))
		}
	}
	check(m.Format == 1 || m.Format == FormatVersion, "format is %d, this build reads 1 to %d", m.Format, FormatVersion)
	check(ValidName(m.Name), "name %q is empty or holds an @ or white space", m.Name)
	sorted := slices.Sorted(slices.Values(m.Labels))
	check(slices.Equal(sorted, []string{LabelRelevant, LabelSevere, LabelWeak}), "labels are %q, must be %s, %s and %s in any order", m.Labels, LabelRelevant, LabelWeak, LabelSevere)
	check(m.MaxTokens >= MinTokens && m.MaxTokens <= MaxTokens, "max_tokens is %d, must be %d to %d", m.MaxTokens, MinTokens, MaxTokens)
	check(m.Arithmetic == FP32 && m.Quantisation == nil || m.Arithmetic == INT8 && m.Quantisation != nil, "arithmetic is %q, must be %s without quantisation or %s with it", m.Arithmetic, FP32, INT8)
	check(m.Calibration.Temperature > 0 && !math.IsInf(m.Calibration.Temperature, 0), "calibration.temperature is %v, must be above 0 and finite", m.Calibration.Temperature)
	check(len(m.Calibration.Biases) == 0 || len(m.Calibration.Biases) == len(m.Labels), "calibration.biases holds %d numbers, must be one a label", len(m.Calibration.Biases))
	for _, bias := range m.Calibration.Biases {
		check(!math.IsNaN(bias) && !math.IsInf(bias, 0), "calibration.biases holds %v, must be finite", bias)
	}
	t := m.Thresholds
	check(t.Review.Value > 0 && t.Review.Value <= t.Severe.Value && t.Severe.Value <= 1, "thresholds are review %v and severe %v, must be 0 < review <= severe <= 1", t.Review.Value, t.Severe.Value)
	check(t.Weak.Value > 0 && t.Weak.Value <= 1, "thresholds.weak is %v, must be above 0 and at most 1", t.Weak.Value)
	special := m.SpecialTokens
	distinct := map[int64]bool{special.CLS: true, special.SEP: true, special.PAD: true, special.UNK: true}
	check(len(distinct) == 4 && min(special.CLS, special.SEP, special.PAD, special.UNK) >= 0, "special_tokens are %+v, must be four different ids", special)
	for _, name := range []string{GraphFile, TokenizerFile, CardFile} {
		_, listed := m.Files[name]
		check(listed, "files lacks %s", name)
	}
	return errors.Join(problems...)
}
