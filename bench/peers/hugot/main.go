// Command hugot serves hugot's text classification pipeline to bench/peers: it loads, scores all pairs once and writes
// what came out, then times one pass for each line "score" on its standard input.
//
// hugot's cross-encoder pipeline takes models with one output only, so the pairs go through text classification, joined
// by the separator token as hugot itself joins them there.
package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"slices"
	"time"

	"github.com/knights-analytics/hugot"
	"github.com/knights-analytics/hugot/backends"
	"github.com/knights-analytics/hugot/options"
	"github.com/knights-analytics/hugot/pipelines"
)

const batch = 32

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() (err error) {
	model := flag.String("model", "", "folder with config.json, tokenizer.json and the graph")
	graph := flag.String("graph", "", "name of the graph in that folder")
	library := flag.String("library", "", "folder with libonnxruntime.so")
	pairs := flag.String("pairs", "", "CSV file with the columns theme and title")
	logits := flag.String("logits", "", "where the logits go, as JSON")
	sorted := flag.Bool("sorted", false, "score the pairs in the order of their length")
	flag.Parse()
	texts, err := readTexts(*pairs)
	if err != nil {
		return err
	}
	session, err := hugot.NewORTSession(options.WithOnnxLibraryPath(*library))
	if err != nil {
		return fmt.Errorf("open a hugot session: %w", err)
	}
	defer func() { err = errors.Join(err, session.Destroy()) }()
	pipeline, err := hugot.NewPipeline(session, hugot.TextClassificationConfig{
		ModelPath: *model, OnnxFilename: *graph, Name: "pairs",
		Options: []backends.PipelineOption[*pipelines.TextClassificationPipeline]{pipelines.WithMultiLabel(), pipelines.WithSoftmax()},
	})
	if err != nil {
		return fmt.Errorf("load %s: %w", *graph, err)
	}
	score := func() ([][]float64, error) { return inOrder(pipeline, texts, *sorted) }
	scored, err := score()
	if err != nil {
		return err
	}
	if err := write(*logits, scored); err != nil {
		return err
	}
	return serve(score)
}

// serve says that the peer is ready, then answers every line with the seconds of one pass.
func serve(score func() ([][]float64, error)) error {
	fmt.Println(`{"ready": true}`)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		started := time.Now()
		if _, err := score(); err != nil {
			return err
		}
		fmt.Printf("{\"seconds\": %v}\n", time.Since(started).Seconds())
	}
	return lines.Err()
}

// inOrder returns one row of logits a text, in the order of texts, whichever order they were scored in.
func inOrder(pipeline *pipelines.TextClassificationPipeline, texts []string, sorted bool) ([][]float64, error) {
	order := make([]int, len(texts))
	for i := range order {
		order[i] = i
	}
	if sorted {
		slices.SortFunc(order, func(a, b int) int { return len(texts[a]) - len(texts[b]) })
	}
	rows := make([][]float64, len(texts))
	for chunk := range slices.Chunk(order, batch) {
		inputs := make([]string, len(chunk))
		for i, at := range chunk {
			inputs[i] = texts[at]
		}
		output, err := pipeline.RunPipeline(inputs)
		if err != nil {
			return nil, fmt.Errorf("score a batch: %w", err)
		}
		for i, classes := range output.ClassificationOutputs {
			row := make([]float64, len(classes))
			for label, class := range classes {
				// A probability's logarithm is its logit but for a constant, which softmax ignores.
				row[label] = math.Log(float64(class.Score))
			}
			rows[chunk[i]] = row
		}
	}
	return rows, nil
}

func readTexts(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	texts := make([]string, 0, len(rows))
	for _, row := range rows[1:] { // the first names the columns
		texts = append(texts, row[0]+"[SEP]"+row[1])
	}
	return texts, nil
}

func write(path string, rows [][]float64) error {
	data, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
