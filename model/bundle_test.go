package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// writeBundle writes a small valid bundle and returns its folder.
func writeBundle(t *testing.T, change func(*Manifest)) string {
	t.Helper()
	folder := t.TempDir()
	manifest := Manifest{
		Format: FormatVersion, Name: "test", Labels: []string{LabelRelevant, LabelWeak, LabelSevere}, MaxTokens: 32, Arithmetic: FP32,
		SpecialTokens: SpecialTokens{CLS: 1, SEP: 2, PAD: 0, UNK: 3},
		Calibration:   Calibration{Temperature: 1.5}, Thresholds: Thresholds{Severe: Threshold{Value: 0.6}, Review: Threshold{Value: 0.1}, Weak: Threshold{Value: 0.8}}, Files: map[string]File{},
	}
	for _, name := range []string{GraphFile, TokenizerFile, CardFile} {
		content := []byte("content of " + name)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), content, 0o600))
		sum := sha256.Sum256(content)
		manifest.Files[name] = File{SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(content))}
	}
	change(&manifest)
	data, err := json.Marshal(manifest)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, ManifestFile), data, 0o600))
	return folder
}

func unchanged(*Manifest) {}

func TestOpen_ReadsAValidBundle(t *testing.T) {
	bundle, err := Open(writeBundle(t, unchanged))
	require.NoError(t, err)
	require.Equal(t, "content of model.onnx", string(bundle.Graph))
	require.Equal(t, "test@"+bundle.Digest[:12], bundle.ID())
}

func TestOpen_ReadsTheStarter(t *testing.T) {
	bundle, err := Open(Starter)
	require.NoError(t, err)
	require.Equal(t, "starter", bundle.Manifest.Name)
	size := int64(0)
	for _, file := range bundle.Manifest.Files {
		size += file.Bytes
	}
	require.Less(t, size, int64(25_000_000), "the starter is embedded in every binary")
}

// A bundle that differs from its manifest in any way is not loaded, and the error names the file.
func TestOpen_RefusesWhatTheManifestDoesNotVouchFor(t *testing.T) {
	for name, test := range map[string]struct {
		manifest func(*Manifest)
		folder   func(t *testing.T, folder string)
		says     string
	}{
		"a changed file": {unchanged, func(t *testing.T, folder string) {
			require.NoError(t, os.WriteFile(filepath.Join(folder, GraphFile), []byte("Content of model.onnx"), 0o600))
		}, "model.onnx has SHA-256"},
		"a truncated file": {unchanged, func(t *testing.T, folder string) {
			require.NoError(t, os.Truncate(filepath.Join(folder, GraphFile), 3))
		}, "model.onnx has 3 bytes"},
		"a missing file": {unchanged, func(t *testing.T, folder string) {
			require.NoError(t, os.Remove(filepath.Join(folder, TokenizerFile)))
		}, "tokenizer.json"},
		"an unlisted file": {unchanged, func(t *testing.T, folder string) {
			require.NoError(t, os.WriteFile(filepath.Join(folder, "extra.so"), nil, 0o600))
		}, "extra.so is not listed"},
		"a folder inside": {unchanged, func(t *testing.T, folder string) {
			require.NoError(t, os.Mkdir(filepath.Join(folder, "more"), 0o700))
		}, "more is a folder"},
		"a symbolic link": {unchanged, func(t *testing.T, folder string) {
			require.NoError(t, os.Rename(filepath.Join(folder, CardFile), filepath.Join(folder, "other")))
			require.NoError(t, os.Symlink("other", filepath.Join(folder, CardFile)))
		}, "card.md is a symbolic link"},
		"a path that escapes":   {func(m *Manifest) { m.Files["../evil"] = File{} }, func(*testing.T, string) {}, `"../evil", which is not a plain file name`},
		"an unlisted tokenizer": {func(m *Manifest) { delete(m.Files, TokenizerFile) }, func(*testing.T, string) {}, "files lacks tokenizer.json"},
		"no special tokens":     {func(m *Manifest) { m.SpecialTokens = SpecialTokens{} }, func(*testing.T, string) {}, "four different ids"},
		"a later format":        {func(m *Manifest) { m.Format = 3 }, func(*testing.T, string) {}, "format is 3"},
		"foreign labels":        {func(m *Manifest) { m.Labels = []string{"yes", "no"} }, func(*testing.T, string) {}, "labels are"},
		"no temperature":        {func(m *Manifest) { m.Calibration.Temperature = 0 }, func(*testing.T, string) {}, "temperature is 0"},
		"crossed thresholds":    {func(m *Manifest) { m.Thresholds.Review = Threshold{Value: 0.7} }, func(*testing.T, string) {}, "review 0.7 and severe 0.6"},
		"too many tokens":       {func(m *Manifest) { m.MaxTokens = 4096 }, func(*testing.T, string) {}, "max_tokens is 4096"},
		"a manifest of nonsense": {unchanged, func(t *testing.T, folder string) {
			require.NoError(t, os.WriteFile(filepath.Join(folder, ManifestFile), []byte("{nonsense"), 0o600))
		}, "manifest.json"},
		"an unknown manifest key": {unchanged, func(t *testing.T, folder string) {
			require.NoError(t, os.WriteFile(filepath.Join(folder, ManifestFile), []byte(`{"formt": 1}`), 0o600))
		}, "formt"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := writeBundle(t, test.manifest)
			test.folder(t, folder)
			_, err := Open(folder)
			require.ErrorContains(t, err, test.says)
			require.ErrorContains(t, err, folder)
		})
	}
}

func TestOpen_NamesTheFolderThatDoesNotExist(t *testing.T) {
	_, err := Open("/nowhere/bundle")
	require.ErrorContains(t, err, "/nowhere/bundle")
	require.ErrorContains(t, err, Starter)
}
