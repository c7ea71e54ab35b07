// Package table reads CSV strictly: what could be read in two ways is refused with its line. The rules are those of
// model/training/winnow_training/table.py, so that a file means the same to the builder and to every command.
package table

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind names the rule that a table breaks.
type Kind string

// The rules.
const (
	Encoding  Kind = "encoding"   // UTF-8 alone; a byte order mark is skipped
	NUL       Kind = "nul"        // no NUL character
	OpenQuote Kind = "open-quote" // a quote that opens is closed
	Quote     Kind = "quote"      // a quote inside a field is doubled, and the field stands in quotes
	Header    Kind = "header"     // the header names every required column, and none twice
	Fields    Kind = "fields"     // a row has as many fields as the header
	Empty     Kind = "empty"      // every row fills the required columns
	Value     Kind = "value"      // a column with a list of values holds one of them
)

// Error says what is wrong with a table and where.
type Error struct {
	Line   int
	Kind   Kind
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// Row is one row, its cells by the names of their columns; what the header does not name is "".
type Row struct {
	Line  int // of its first field
	Cells map[string]string
}

// Read returns every row. Required columns must be named by the header and filled in every row; of the others, those without
// a name are left out. Values lists what alone a column may hold, where it has such a list. A blank line is no row. What is
// wrong with the content is an *Error.
func Read(in io.Reader, values map[string][]string, required ...string) ([]Row, error) {
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	if err := checkText(text); err != nil {
		return nil, err
	}
	scan := scanner{text: text, line: 1}
	_, header, err := scan.next()
	if err != nil {
		return nil, err
	}
	if err := checkHeader(header, scan.first, required); err != nil {
		return nil, err
	}
	var rows []Row
	for {
		more, fields, err := scan.next()
		if err != nil {
			return nil, err
		}
		if !more {
			return rows, nil
		}
		row := Row{Line: scan.first, Cells: make(map[string]string, len(header))}
		if len(fields) != len(header) {
			return nil, row.wrong(Fields, "%d fields, the header names %d: a field that holds a comma must stand in quotes", len(fields), len(header))
		}
		for i, name := range header {
			if name != "" {
				row.Cells[name] = fields[i]
			}
		}
		if err := row.check(values, required); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
}

func checkText(text string) error {
	for at, char := range text {
		if char == utf8.RuneError && !strings.HasPrefix(text[at:], "\ufffd") {
			return &Error{1 + breaks(text[:at]), Encoding, "not UTF-8: save the file as CSV in UTF-8"}
		}
	}
	if at := strings.IndexByte(text, 0); at >= 0 {
		return &Error{1 + breaks(text[:at]), NUL, "holds a NUL character"}
	}
	return nil
}

func checkHeader(header []string, line int, required []string) error {
	if len(header) == 0 {
		return &Error{1, Header, "the file is empty: its first line must name " + strings.Join(required, ", ")}
	}
	for i, name := range header {
		if name != "" && slices.Contains(header[:i], name) {
			return &Error{line, Header, "column named twice: " + name}
		}
	}
	missing := slices.DeleteFunc(slices.Clone(required), func(name string) bool { return slices.Contains(header, name) })
	if len(missing) > 0 {
		return &Error{line, Header, "column missing: " + strings.Join(missing, ", ")}
	}
	return nil
}

func (r Row) wrong(kind Kind, format string, values ...any) error {
	return &Error{r.Line, kind, fmt.Sprintf(format, values...)}
}

func (r Row) check(values map[string][]string, required []string) error {
	for _, name := range required {
		if r.Cells[name] == "" {
			return r.wrong(Empty, "%s is empty", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if cell, named := r.Cells[name]; named && !slices.Contains(values[name], cell) {
			return r.wrong(Value, "%s %q is not one of %s", name, cell, strings.Join(values[name], ", "))
		}
	}
	return nil
}

// breaks counts line breaks: LF, CR and CRLF are one each.
func breaks(text string) int {
	return strings.Count(text, "\n") + strings.Count(text, "\r") - strings.Count(text, "\r\n")
}

type scanner struct {
	text  string // what is left
	line  int    // where it starts
	first int    // where the last record started
}

// next returns the fields of the next record, blank lines skipped; false at the end.
func (s *scanner) next() (bool, []string, error) {
	for s.skipBreak() { // a break that no record ended with: a blank line
	}
	if s.text == "" {
		return false, nil, nil
	}
	s.first = s.line
	var fields []string
	for {
		field, err := s.field()
		if err != nil {
			return false, nil, err
		}
		fields = append(fields, field)
		rest, more := strings.CutPrefix(s.text, ",")
		if !more {
			break
		}
		s.text = rest
	}
	if s.text != "" && !s.skipBreak() {
		return false, nil, &Error{s.line, Quote, `a quote inside a field: write the field in quotes and each of its quotes as ""`}
	}
	return true, fields, nil
}

func (s *scanner) skipBreak() bool {
	for _, end := range []string{"\r\n", "\r", "\n"} {
		if rest, found := strings.CutPrefix(s.text, end); found {
			s.text, s.line = rest, s.line+1
			return true
		}
	}
	return false
}

func (s *scanner) field() (string, error) {
	if !strings.HasPrefix(s.text, `"`) {
		end := strings.IndexAny(s.text, ",\"\r\n")
		if end < 0 {
			end = len(s.text)
		}
		field := s.text[:end]
		s.text = s.text[end:]
		return field, nil
	}
	for end := 1; ; end += 2 { // past a doubled quote
		closing := strings.IndexByte(s.text[end:], '"')
		if closing < 0 {
			return "", &Error{s.line, OpenQuote, "the quote that opens here is never closed"}
		}
		end += closing
		if strings.HasPrefix(s.text[end+1:], `"`) {
			continue
		}
		raw := s.text[1:end]
		s.text, s.line = s.text[end+1:], s.line+breaks(raw)
		return strings.ReplaceAll(raw, `""`, `"`), nil
	}
}
