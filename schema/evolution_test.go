package schema

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
)

var records = []string{"candidate", "approved", "tombstone", "review"}

// A reader of this version reads every byte that v1 wrote: the frozen copies in testdata/v1 never change.
func TestSchemas_StayBackwardCompatibleWithV1(t *testing.T) {
	for _, name := range records {
		frozen, err := os.ReadFile("testdata/v1/" + name + ".avsc")
		require.NoError(t, err)
		writer, err := avro.Parse(string(frozen))
		require.NoError(t, err)
		require.NoError(t, avro.CheckCompatibility(writer, avro.MustParse(Definition(name))), name)
	}
}

// The control of the test above: a field without a default is refused, with a default it is not.
func TestSchemas_AFieldWithoutADefaultIsIncompatible(t *testing.T) {
	with := func(field string) *avro.Schema {
		return avro.MustParse(strings.Replace(Definition("candidate"), `"fields": [`, `"fields": [`+field+`,`, 1))
	}
	require.Error(t, avro.CheckCompatibility(candidateSchema, with(`{"name": "market", "type": "string"}`)))
	require.NoError(t, avro.CheckCompatibility(candidateSchema, with(`{"name": "market", "type": "string", "default": ""}`)))
}
