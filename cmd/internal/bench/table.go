//go:build cgo

package bench

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteEngineTable prints one line a row, and where the time of the first goes.
func WriteEngineTable(out io.Writer, rows []EngineResult) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "provider\tworkers x threads\tlanes\tbatch tokens\tpairs\tscored\tcached\tpairs/s\ttokens/s\tpadding\tfill\tidle\tproducts\tresident")
	for _, row := range rows {
		if row.Error != "" {
			fmt.Fprintf(table, "%s\tdoes not work here: %s\n", row.Provider, row.Error)
			continue
		}
		fmt.Fprintf(table, "%s\t%d x %d\t%d\t%d\t%d\t%d\t%d\t%.0f\t%.0f\t%s\t%s\t%s\t%s\t%d MiB\n",
			row.Provider, row.Workers, row.Threads, row.Lanes, row.BatchTokens, row.Pairs, row.Scored, row.Cached, row.PairsPerSecond, row.TokensPerSecond,
			percent(row.PaddingWaste), percent(row.BatchFill), percent(row.IdleShare), percent(row.MatrixProductShare), row.ResidentBytes>>20)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, row := range rows {
		if row.Error == "" {
			fmt.Fprintf(out, "\n%s. Of the graph's time: %s\n", row.Model, shares(row.Operators))
			break
		}
	}
	return nil
}

// shares lists operators above one percent, the largest first.
func shares(operators map[string]float64) string {
	names := slices.SortedFunc(maps.Keys(operators), func(a, b string) int { return cmp.Compare(operators[b], operators[a]) })
	var listed []string
	for _, name := range names {
		if operators[name] >= 0.01 {
			listed = append(listed, name+" "+percent(operators[name]))
		}
	}
	return strings.Join(listed, ", ")
}

// WritePipelineTable prints one line a row.
func WritePipelineTable(out io.Writer, rows []PipelineResult) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "broker\treplicas\tworkers\tlanes\tpartitions\tbatch tokens\tpairs/s\tof the gate alone\tpadding\tfill\tidle\tcached\ttransaction\tresident\tage p50\tp99\tat load p50\tp99")
	for _, row := range rows {
		atLoad := "-\t-"
		if row.AgeAtLoad != nil {
			atLoad = fmt.Sprintf("%.0f ms\t%.0f ms", 1000*row.AgeAtLoad.P50, 1000*row.AgeAtLoad.P99)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%.0f\t%s\t%s\t%s\t%s\t%d\t%.0f ms\t%d MiB\t%.1f s\t%.1f s\t%s\n",
			row.Broker, row.Replicas, row.Workers, row.Lanes, row.Partitions, row.BatchTokens, row.PairsPerSecond, percent(row.OfEngine),
			percent(row.PaddingWaste), percent(row.BatchFill), percent(row.IdleShare), row.Cached, 1000*row.TransactionTime,
			row.ResidentBytes>>20, row.Age.P50, row.Age.P99, atLoad)
	}
	return table.Flush()
}
