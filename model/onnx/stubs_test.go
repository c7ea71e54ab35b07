//go:build cgo && gpulibrary

package onnx

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/winnowgate/winnow/model"
)

// inStubs marks the child process, whose loader finds hollow libraries in the place of CUDA's and TensorRT's.
const inStubs = "WINNOW_TEST_STUBS"

// The providers' own parsers take every option that the engine sets with its value, know every key of the lists, and know no
// other name that their libraries hold. No GPU is needed to parse, only libraries by the right names: hollow ones do, in a
// process of their own.
func TestGPULibrary_TakesTheOptionsAndKnowsExactlyTheLists(t *testing.T) {
	if os.Getenv(inStubs) == "" {
		command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		command.Env = append(os.Environ(), inStubs+"=1", "LD_LIBRARY_PATH="+buildStubs(t))
		printed, err := command.CombinedOutput()
		require.NoError(t, err, string(printed))
		require.Contains(t, string(printed), "--- PASS: "+t.Name())
		return
	}
	require.NoError(t, acquireEnvironment())
	defer func() { require.NoError(t, releaseEnvironment()) }()
	for _, precision := range model.Precisions() {
		config := gpu()
		config.Precision = precision
		for _, length := range config.Buckets {
			require.NoError(t, updateTensorRT(tensorRTOptions(config, somewhere, length)))
		}
		require.NoError(t, updateCUDA(cudaOptions(config)))
	}
	requireKnowsExactly(t, tensorRTKeys(), names(t, model.TensorRT), updateTensorRT)
	requireKnowsExactly(t, cudaKeys(), names(t, model.CUDA), updateCUDA)
}

// requireKnowsExactly sets each candidate alone. A value may be refused; a key is known or it is not.
func requireKnowsExactly(t *testing.T, keys []string, candidates map[string]bool, update func(map[string]string) error) {
	t.Helper()
	var known []string
	for name := range candidates {
		if err := update(map[string]string{name: "1"}); err == nil || !strings.Contains(err.Error(), "Unknown provider option") {
			known = append(known, name)
		}
	}
	require.ElementsMatch(t, keys, known)
}

// names returns every string in a provider's library that may be an option, and what follows each underscore of one: the
// linker lets a string that ends another share its bytes.
func names(t *testing.T, provider string) map[string]bool {
	t.Helper()
	library, err := os.ReadFile(providerLibrary(t, provider))
	require.NoError(t, err)
	found := map[string]bool{}
	for _, match := range regexp.MustCompile(`[a-z][a-z0-9]*(_[a-z0-9]+)+\x00`).FindAll(library, -1) {
		name := string(match[:len(match)-1])
		for at := 0; at >= 0 && len(name) < 60; {
			found[name] = true
			if at = strings.IndexByte(name, '_'); at >= 0 {
				name = name[at+1:]
			}
		}
	}
	require.Greater(t, len(found), len(tensorRTKeys()))
	t.Logf("%s: %d candidates", provider, len(found))
	return found
}

func updateTensorRT(options map[string]string) error {
	provider, err := ort.NewTensorRTProviderOptions()
	if err != nil {
		return err
	}
	return errors.Join(provider.Update(options), provider.Destroy())
}

func updateCUDA(options map[string]string) error {
	provider, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	return errors.Join(provider.Update(options), provider.Destroy())
}

// buildStubs compiles a library for each one of NVIDIA's that the providers need. Every function returns 0, which is
// success; two devices exist.
func buildStubs(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	functions := map[string]map[string]bool{} // by library
	for _, provider := range []string{model.CUDA, model.TensorRT} {
		library, err := elf.Open(providerLibrary(t, provider))
		require.NoError(t, err)
		needed, err := library.ImportedLibraries()
		require.NoError(t, err)
		for _, name := range needed {
			if nvidia := strings.HasPrefix(name, "libcu") || strings.HasPrefix(name, "libnv"); nvidia && functions[name] == nil {
				functions[name] = map[string]bool{}
			}
		}
		symbols, err := library.ImportedSymbols()
		require.NoError(t, err)
		for _, symbol := range symbols {
			home := symbol.Library
			if home == "" && symbol.Name != "Provider_GetHost" {
				home = "libcudart.so.13" // any library may define what names none
			}
			if functions[home] != nil {
				functions[home][symbol.Name] = true
			}
		}
		require.NoError(t, library.Close())
	}
	require.Len(t, functions, 8)
	for name, symbols := range functions {
		compileStub(t, folder, name, symbols)
	}
	return folder
}

func compileStub(t *testing.T, folder, name string, symbols map[string]bool) {
	t.Helper()
	var source strings.Builder
	for symbol := range symbols {
		if symbol == "cudaGetDeviceCount" {
			source.WriteString("int cudaGetDeviceCount(int *count) { *count = 2; return 0; }\n")
		} else {
			fmt.Fprintf(&source, "long %s(void) { return 0; }\n", symbol)
		}
	}
	code, versions := filepath.Join(folder, name+".c"), filepath.Join(folder, name+".map")
	require.NoError(t, os.WriteFile(code, []byte(source.String()), 0o600))
	require.NoError(t, os.WriteFile(versions, []byte(name+" { global: *; };\n"), 0o600))
	printed, err := exec.Command("cc", "-shared", "-fPIC", "-w", "-o", filepath.Join(folder, name), "-Wl,-soname,"+name, "-Wl,--version-script,"+versions, code).CombinedOutput()
	require.NoError(t, err, string(printed))
}
