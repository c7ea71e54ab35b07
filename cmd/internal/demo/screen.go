//go:build cgo

package demo

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// Screen is where the board is shown.
type Screen struct {
	Out    io.Writer
	Width  int // in columns
	Colour bool
}

const (
	widthOfFiles   = 100
	narrowestBoard = 64 // what is narrower wraps
)

// NewScreen asks a terminal for its width. What is none has no colours, nor has one whose user wants none (no-color.org).
func NewScreen(out io.Writer) Screen {
	screen := Screen{Out: out, Width: widthOfFiles}
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return screen
	}
	if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
		screen.Width = columns
	}
	screen.Colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return screen
}

// paint colours text that stands alone in its cell.
func (s Screen) paint(text, colour string) string {
	if !s.Colour || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// fit escapes what would move the cursor or hide, and cuts the text to so many columns.
func fit(text string, columns int) string {
	text = printable(text)
	if columnsOf(text) <= columns {
		return text
	}
	var cut strings.Builder
	left := columns - 1
	for _, char := range text {
		if left -= columnsOfRune(char); left < 0 {
			break
		}
		cut.WriteRune(char)
	}
	return cut.String() + "…"
}

// cell is fit, filled up with spaces.
func cell(text string, columns int) string {
	text = fit(text, columns)
	return text + strings.Repeat(" ", max(columns-columnsOf(text), 0))
}

func printable(text string) string {
	var safe strings.Builder
	for _, char := range text {
		if unicode.IsPrint(char) {
			safe.WriteRune(char)
			continue
		}
		quoted := strconv.QuoteRune(char)
		safe.WriteString(quoted[1 : len(quoted)-1])
	}
	return safe.String()
}

func columnsOf(text string) int {
	columns := 0
	for _, char := range text {
		columns += columnsOfRune(char)
	}
	return columns
}

func columnsOfRune(char rune) int {
	if unicode.In(char, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(char).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}
