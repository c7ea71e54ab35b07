package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// FormatVersion is the version of the manifest format that this build reads.
const FormatVersion = 1

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

// Calibration turns logits into probabilities: softmax(logits / temperature).
type Calibration struct {
	Temperature float64 `json:"temperature"`
	Method      string  `json:"method"`
}

// Thresholds are probabilities of severe. At Severe and above a product is a violation; from Review up to there it is
// uncertain.
type Thresholds struct {
	Severe            float64 `json:"severe"`
	Review            float64 `json:"review"`
	Method            string  `json:"method"`
	Positives         int     `json:"positives"`           // severe pairs behind the choice
	Pairs             int     `json:"pairs"`               // all pairs behind it
	MissedSevereBound float64 `json:"missed_severe_bound"` // on the expected share of severe pairs below Review
	Coverage          float64 `json:"coverage"`            // share of those pairs that needs no person
	Risk              float64 `json:"risk"`                // share of wrong ones among the decisions without a person
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
	Pairs                    int     `json:"pairs"`
	SevereAUC                float64 `json:"severe_auc"`
	SevereAveragePrecision   float64 `json:"severe_average_precision"`
	MacroF1                  float64 `json:"macro_f1"`
	FalseApprovalRate        float64 `json:"false_approval_rate"`
	ReviewRate               float64 `json:"review_rate"`
	ExpectedCalibrationError float64 `json:"expected_calibration_error"`
}

// File is the size and the SHA-256, in hexadecimal, of one file of a bundle.
type File struct {
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

func parseManifest(data []byte) (Manifest, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var manifest Manifest
	if err := decoder.Decode(&manifest); err != nil {
		return Manifest{}, err
	}
	return manifest, manifest.validate()
}

func (m *Manifest) validate() error {
	var problems []error
	check := func(ok bool, format string, values ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, values...))
		}
	}
	check(m.Format == FormatVersion, "format is %d, this build reads %d", m.Format, FormatVersion)
	check(m.Name != "" && !strings.ContainsAny(m.Name, "@ \t\n"), "name %q is empty or holds an @ or white space", m.Name)
	sorted := slices.Sorted(slices.Values(m.Labels))
	check(slices.Equal(sorted, []string{LabelRelevant, LabelSevere, LabelWeak}), "labels are %q, must be %s, %s and %s in any order", m.Labels, LabelRelevant, LabelWeak, LabelSevere)
	check(m.MaxTokens >= minTokens && m.MaxTokens <= maxTokens, "max_tokens is %d, must be %d to %d", m.MaxTokens, minTokens, maxTokens)
	check(m.Arithmetic == FP32 && m.Quantisation == nil || m.Arithmetic == INT8 && m.Quantisation != nil, "arithmetic is %q, must be %s without quantisation or %s with it", m.Arithmetic, FP32, INT8)
	check(m.Calibration.Temperature > 0 && !math.IsInf(m.Calibration.Temperature, 0), "calibration.temperature is %v, must be above 0 and finite", m.Calibration.Temperature)
	check(m.Thresholds.Review > 0 && m.Thresholds.Review <= m.Thresholds.Severe && m.Thresholds.Severe <= 1, "thresholds are review %v and severe %v, must be 0 < review <= severe <= 1", m.Thresholds.Review, m.Thresholds.Severe)
	special := m.SpecialTokens
	distinct := map[int64]bool{special.CLS: true, special.SEP: true, special.PAD: true, special.UNK: true}
	check(len(distinct) == 4 && min(special.CLS, special.SEP, special.PAD, special.UNK) >= 0, "special_tokens are %+v, must be four different ids", special)
	for _, name := range []string{GraphFile, TokenizerFile, CardFile} {
		_, listed := m.Files[name]
		check(listed, "files lacks %s", name)
	}
	return errors.Join(problems...)
}
