package model

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const thresholds2 = `"thresholds":{"severe":{"value":0.6,"method":"","bound":0,"reached":0,"interval":[0,0],"severe_share":0,"positives":0,"pairs":0},` +
	`"review":{"value":0.1,"method":"","bound":0,"reached":0,"interval":[0,0],"severe_share":0,"positives":0,"pairs":0},` +
	`"weak":{"value":0.8,"method":"","bound":0,"reached":0,"interval":[0,0],"severe_share":0,"positives":0,"pairs":0}}`

// A bundle that was built before still opens, decides as it did, and says in a sentence what it lacks.
func TestOpen_ABundleOfFormat1OpensAndSaysWhatItLacks(t *testing.T) {
	folder := writeBundle(t, func(m *Manifest) { m.Format = 1 })
	file := filepath.Join(folder, ManifestFile)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(data), thresholds2)
	old := strings.Replace(string(data), thresholds2, `"thresholds":{"severe":0.6,"review":0.1,"method":"m","positives":310,"pairs":1955,"missed_severe_bound":0.02,"coverage":0.8,"risk":0.019}`, 1)
	require.NoError(t, os.WriteFile(file, []byte(old), 0o600))

	bundle, err := Open(folder)
	require.NoError(t, err)
	require.InDelta(t, 0.6, bundle.Manifest.Thresholds.Severe.Value, 0)
	require.InDelta(t, 0.1, bundle.Manifest.Thresholds.Review.Value, 0)
	require.Equal(t, 310, bundle.Manifest.Thresholds.Review.Positives)
	require.InDelta(t, weakOfFormat1, bundle.Manifest.Thresholds.Weak.Value, 0)
	require.Contains(t, bundle.Manifest.Lacks(), "bundle test is of format 1")
	require.Contains(t, bundle.Manifest.Lacks(), "winnow model build")

	today, err := Open(writeBundle(t, unchanged))
	require.NoError(t, err)
	require.Empty(t, today.Manifest.Lacks())
}

func TestOpen_AnUnknownKeyOfFormat1IsRefused(t *testing.T) {
	_, err := parseManifest([]byte(`{"format":1,"thresholds":{"severe":0.6,"weak":0.5}}`))
	require.ErrorContains(t, err, "weak")
}

// Biases move what a temperature alone would say towards the mix of labels that traffic has.
func TestCalibrate_AddsTheBiases(t *testing.T) {
	m := Manifest{Labels: []string{LabelRelevant, LabelWeak, LabelSevere}, Calibration: Calibration{Temperature: 2, Biases: []float64{0.5, 0, -1}}}
	plain := Manifest{Labels: m.Labels, Calibration: Calibration{Temperature: 1}}
	require.Equal(t, plain.Calibrate(Logits{1.5, 2, 2}), m.Calibrate(Logits{2, 4, 6}))
}
