package table

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var labels = map[string][]string{"label": {"relevant", "weak", "severe"}}

// The table of cases holds the builder's reader too (model/training/tests/test_table.py): the same bytes mean the same rows, or
// break the same rule on the same line.
func TestRead_KeepsTheRulesThatTheBuilderKeeps(t *testing.T) {
	data, err := os.ReadFile("testdata/tables.json")
	require.NoError(t, err)
	var cases []struct {
		Name, Text string
		Base64     []byte // where the bytes are no text
		Rows       []Row
		Error      *Error
	}
	require.NoError(t, json.Unmarshal(data, &cases))
	require.Greater(t, len(cases), 40)
	for _, test := range cases {
		t.Run(test.Name, func(t *testing.T) {
			rows, err := Read(strings.NewReader(test.Text+string(test.Base64)), labels, "theme", "title", "label")
			if test.Error == nil {
				require.NoError(t, err)
				require.ElementsMatch(t, test.Rows, rows)
				return
			}
			var wrong *Error
			require.ErrorAs(t, err, &wrong)
			require.Equal(t, []any{test.Error.Line, test.Error.Kind}, []any{wrong.Line, wrong.Kind}, err)
			require.Empty(t, rows)
		})
	}
}

// What a CSV writer writes comes back as it was, whatever the cells hold.
func TestRead_ReadsBackWhatAWriterWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.StringOf(rapid.SampledFrom([]rune("ab ,\"\r\n\té寿")))
		want := rapid.SliceOf(rapid.SliceOfN(cell, 2, 2)).Draw(t, "rows")
		var text strings.Builder
		writer := csv.NewWriter(&text)
		require.NoError(t, writer.WriteAll(append([][]string{{"a", "b"}}, want...)))
		rows, err := Read(strings.NewReader(text.String()), nil)
		require.NoError(t, err)
		require.Len(t, rows, len(want))
		for i, row := range rows {
			require.Equal(t, map[string]string{"a": want[i][0], "b": want[i][1]}, row.Cells)
		}
	})
}

// A file that can't be read is not a file that is wrong.
func TestRead_PassesOnWhatReadingFailsWith(t *testing.T) {
	broken := errors.New("disk")
	_, err := Read(iotest.ErrReader(broken), nil, "theme")
	require.ErrorIs(t, err, broken)
}
