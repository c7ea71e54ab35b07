package bench

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Shares are of the time in which graphs ran, over all sessions; what is no kernel does not count.
func TestReadProfiles_SharesTheTimeOfRuns(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600))
	}
	write("profile_1.json", `[{"cat":"Session","name":"model_run","dur":60},{"cat":"Session","name":"model_loading_array","dur":900},
		{"cat":"Node","name":"a_kernel_time","dur":30,"args":{"op_name":"MatMul"}},{"cat":"Node","name":"a_fence_before","dur":9,"args":{"op_name":"MatMul"}},
		{"cat":"Node","name":"b_kernel_time","dur":10,"args":{"op_name":"Attention"}}]`)
	write("profile_2.json", `[{"cat":"Session","name":"model_run","dur":40},{"cat":"Node","name":"c_kernel_time","dur":20,"args":{"op_name":"ProductOfCodes"}}]`)
	operators, products, err := readProfiles(folder)
	require.NoError(t, err)
	require.InDeltaMapValues(t, map[string]float64{"MatMul": 0.3, "Attention": 0.1, "ProductOfCodes": 0.2}, operators, 1e-9)
	require.InDelta(t, 0.5, products, 1e-9)

	_, _, err = readProfiles(t.TempDir())
	require.ErrorContains(t, err, "no run")
	write("profile_3.json", "nonsense")
	_, _, err = readProfiles(folder)
	require.ErrorContains(t, err, "profile_3.json")
}
