//go:build cgo

package onnx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/winnowgate/winnow/model"
)

const (
	libraryName   = "libonnxruntime.so"
	operatorsName = "libwinnow_operators.so"
)

// findLibrary returns LibraryVariable's value, else the library beside the executable, else the plain name, which leaves
// the search to the system's loader.
func findLibrary() (string, error) {
	if path := os.Getenv(model.LibraryVariable); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("ONNX Runtime: %s is %q: %w", model.LibraryVariable, path, err)
		}
		return path, nil
	}
	if path, ok := besideExecutable(libraryName); ok {
		return path, nil
	}
	return libraryName, nil
}

// FindOperators returns the path of the operators for the CPU: OperatorsVariable's value, else the library beside the one
// that LibraryVariable names, else the one beside the executable.
func FindOperators() (string, error) {
	if path := os.Getenv(model.OperatorsVariable); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("the operators for the CPU: %s is %q: %w", model.OperatorsVariable, path, err)
		}
		return path, nil
	}
	if runtime := os.Getenv(model.LibraryVariable); runtime != "" {
		beside := filepath.Join(filepath.Dir(runtime), operatorsName)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	if path, ok := besideExecutable(operatorsName); ok {
		return path, nil
	}
	return "", fmt.Errorf("%s, the operators for the CPU, lies neither beside %s nor beside the executable: put it there (make build does), or set %s to its path", operatorsName, libraryName, model.OperatorsVariable)
}

func besideExecutable(name string) (string, bool) {
	executable, err := os.Executable()
	if err != nil {
		return "", false
	}
	resolved, err := filepath.EvalSymlinks(executable)
	if err != nil {
		return "", false
	}
	beside := filepath.Join(filepath.Dir(resolved), name)
	_, err = os.Stat(beside)
	return beside, err == nil
}

// environment counts the engines that share the one ONNX Runtime environment a process may have: the binding keeps it in
// package variables, so somebody has to know when the first engine opens it and the last one closes it.
var environment struct {
	sync.Mutex
	engines int
}

func acquireEnvironment() error {
	library, err := findLibrary()
	if err != nil {
		return err
	}
	environment.Lock()
	defer environment.Unlock()
	if environment.engines > 0 {
		environment.engines++
		return nil
	}
	ort.SetSharedLibraryPath(library)
	// What fails comes back as an error and is logged with its circumstances; the library's own lines would be noise.
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return fmt.Errorf("load ONNX Runtime from %s: %w: set %s to the path of %s, or put the library beside the executable (make build does)", library, err, model.LibraryVariable, libraryName)
	}
	environment.engines = 1
	return nil
}

func releaseEnvironment() error {
	environment.Lock()
	defer environment.Unlock()
	if environment.engines == 0 {
		return errors.New("ONNX Runtime environment released more often than acquired")
	}
	if environment.engines--; environment.engines > 0 {
		return nil
	}
	return ort.DestroyEnvironment()
}
