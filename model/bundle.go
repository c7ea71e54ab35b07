// Package model holds a classifier as a folder that can be trusted: graph, tokenizer, calibration and thresholds, each
// file checked against the manifest before anything reads it.
package model

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Starter is the location of the bundle that ships inside the binary.
const Starter = "starter"

//go:embed starter
var starter embed.FS

// Bundle is a verified model.
type Bundle struct {
	Manifest  Manifest
	Digest    string // SHA-256 of manifest.json in hexadecimal; the manifest holds every other file's
	Graph     []byte // model.onnx
	Tokenizer []byte // tokenizer.json
	Card      []byte // card.md
}

// ID names the model in verdicts: its name and the start of its digest.
func (b *Bundle) ID() string { return b.Manifest.Name + "@" + b.Digest[:12] }

// Open verifies and reads the bundle at location: Starter, or a folder.
func Open(location string) (*Bundle, error) {
	var files fs.FS
	if location == Starter {
		sub, err := fs.Sub(starter, "starter")
		if err != nil {
			return nil, fmt.Errorf("bundle %s: %w", location, err)
		}
		files = sub
	} else {
		root, err := os.OpenRoot(location) // a root, so that no name can lead outside
		if err != nil {
			return nil, fmt.Errorf("bundle %s: %w (model.bundle is %q or the path of a bundle's folder)", location, err, Starter)
		}
		defer root.Close()
		files = root.FS()
	}
	bundle, err := read(files)
	if err != nil {
		return nil, fmt.Errorf("bundle %s is not usable: %w", location, err)
	}
	return bundle, nil
}

func read(files fs.FS) (*Bundle, error) {
	data, err := fs.ReadFile(files, ManifestFile)
	if err != nil {
		return nil, err
	}
	manifest, err := parseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	if err := onlyListed(files, manifest.Files); err != nil {
		return nil, err
	}
	contents := make(map[string][]byte, len(manifest.Files))
	for name, want := range manifest.Files {
		content, err := readVerified(files, name, want)
		if err != nil {
			return nil, err
		}
		contents[name] = content
	}
	digest := sha256.Sum256(data)
	return &Bundle{
		Manifest: manifest, Digest: hex.EncodeToString(digest[:]),
		Graph: contents[GraphFile], Tokenizer: contents[TokenizerFile], Card: contents[CardFile],
	}, nil
}

// onlyListed refuses every entry that the manifest does not name, and whatever is not a plain file.
func onlyListed(files fs.FS, listed map[string]File) error {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return err
	}
	var problems []error
	for _, entry := range entries {
		switch _, ok := listed[entry.Name()]; {
		case !entry.Type().IsRegular():
			problems = append(problems, fmt.Errorf("%s is a %s, a bundle holds plain files alone", entry.Name(), kind(entry.Type())))
		case !ok && entry.Name() != ManifestFile:
			problems = append(problems, fmt.Errorf("%s is not listed in %s", entry.Name(), ManifestFile))
		}
	}
	return errors.Join(problems...)
}

func kind(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "symbolic link"
	case mode.IsDir():
		return "folder"
	default:
		return "special file"
	}
}

func readVerified(files fs.FS, name string, want File) ([]byte, error) {
	if name != filepath.Base(name) || strings.ContainsAny(name, `/\`) || !fs.ValidPath(name) || name == "." {
		return nil, fmt.Errorf("%s lists %q, which is not a plain file name", ManifestFile, name)
	}
	content, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	if int64(len(content)) != want.Bytes {
		return nil, fmt.Errorf("%s has %d bytes, the manifest says %d: copy the bundle again", name, len(content), want.Bytes)
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != want.SHA256 {
		return nil, fmt.Errorf("%s has SHA-256 %x, the manifest says %s: copy the bundle again", name, sum, want.SHA256)
	}
	return content, nil
}
