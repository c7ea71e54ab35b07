package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf16"
)

// unambiguous refuses two things that encoding/json decides in silence: of a key that an object holds twice it merges both
// values, and half a surrogate becomes a replacement character, so that two ids become one. data is JSON that it has decoded.
func unambiguous(data []byte) error {
	if err := wholeSurrogates(data); err != nil {
		return err
	}
	return distinctKeys(data)
}

// wholeSurrogates looks at every \u escape. In valid JSON a backslash stands in strings alone.
func wholeSurrogates(data []byte) error {
	for {
		at := bytes.IndexByte(data, '\\')
		if at < 0 {
			return nil
		}
		escaped := escapedRune(data[at:])
		switch {
		case escaped < 0:
			data = data[at+2:]
		case !utf16.IsSurrogate(escaped):
			data = data[at+6:]
		case utf16.DecodeRune(escaped, escapedRune(data[at+6:])) == unicode.ReplacementChar:
			return invalid(fmt.Sprintf("%s is half a surrogate pair, which is no character", data[at:at+6]))
		default:
			data = data[at+12:]
		}
	}
}

// escapedRune returns what the \u escape at the start of data stands for, or -1 where none is.
func escapedRune(data []byte) rune {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return -1
	}
	code, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(code)
}

// distinctKeys walks data token by token, an object's keys in a set of its own.
func distinctKeys(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	var open []map[string]bool // of each object or array that is open; nil for an array
	key := false               // whether the next token of the innermost object is a key
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil //nolint:nilerr // the end: that it is JSON was found before
		}
		var keys map[string]bool
		if len(open) > 0 {
			keys = open[len(open)-1]
		}
		switch delim, isDelim := token.(json.Delim); {
		case isDelim && (delim == '{' || delim == '['):
			if open = append(open, nil); delim == '{' {
				open[len(open)-1] = map[string]bool{}
			}
			key = delim == '{'
			continue
		case isDelim:
			open = open[:len(open)-1]
		case keys != nil && key:
			name, _ := token.(string)
			if keys[folded(name)] {
				return invalid(fmt.Sprintf("the key %q stands twice in one object", name))
			}
			keys[folded(name)] = true
			key = false
			continue
		}
		key = len(open) > 0 && open[len(open)-1] != nil // a value has ended
	}
}

// folded is the same for all names that encoding/json takes for one field: it ignores case.
func folded(name string) string {
	runes := []rune(name)
	for i, char := range runes {
		least := char
		for other := unicode.SimpleFold(char); other != char; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		runes[i] = least
	}
	return string(runes)
}
