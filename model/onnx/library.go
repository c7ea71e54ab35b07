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

const libraryName = "libonnxruntime.so"

// findLibrary returns LibraryVariable's value, else the library beside the executable, else the plain name, which leaves
// the search to the system's loader.
func findLibrary() (string, error) {
	if path := os.Getenv(model.LibraryVariable); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("ONNX Runtime: %s is %q: %w", model.LibraryVariable, path, err)
		}
		return path, nil
	}
	if executable, err := os.Executable(); err == nil {
		if resolved, err := filepath.EvalSymlinks(executable); err == nil {
			beside := filepath.Join(filepath.Dir(resolved), libraryName)
			if _, err := os.Stat(beside); err == nil {
				return beside, nil
			}
		}
	}
	return libraryName, nil
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
