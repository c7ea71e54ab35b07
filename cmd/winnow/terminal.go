//go:build cgo

package main

import (
	"strconv"
	"strings"
	"unicode"
)

// plain returns text that comes from outside with an escape for everything that is not seen: a terminal would obey it.
func plain(text string) string {
	var out strings.Builder
	for _, char := range text {
		if unicode.IsGraphic(char) {
			out.WriteRune(char)
		} else {
			out.WriteString(strings.Trim(strconv.QuoteRune(char), "'"))
		}
	}
	return out.String()
}
