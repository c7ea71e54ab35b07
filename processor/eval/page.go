package eval

import (
	"embed"
	"fmt"
	"html/template"
	"io"

	"github.com/winnowgate/winnow/model"
)

//go:embed page.html page_pairs.html page_placements.html
var pages embed.FS

// figure is a chart with its words.
type figure struct {
	Title, Says string
	SVG         template.HTML
}

// drawing is a chart to be drawn.
type drawing struct {
	title, says string
	chart       chart
}

// page is what page_pairs.html shows.
type page struct {
	Report
	Source   string
	Labels   []string
	Cells    map[string]map[string]int // label -> predicted -> pairs
	Unscored int
	Figures  []figure
}

// WritePage writes the report as one HTML page that needs nothing else: no script, no file, no network. source says what
// was measured, for the reader.
func (r Report) WritePage(out io.Writer, source string) error {
	shown, err := r.page(source)
	if err != nil {
		return err
	}
	return execute(out, "page_pairs.html", shown)
}

func (r Report) page(source string) (page, error) {
	shown := page{Report: r, Source: source, Labels: labels(), Cells: map[string]map[string]int{}}
	for _, cell := range r.Confusion {
		if shown.Cells[cell.Label] == nil {
			shown.Cells[cell.Label] = map[string]int{}
		}
		shown.Cells[cell.Label][cell.Predicted] = cell.Pairs
		if cell.Predicted == "" {
			shown.Unscored += cell.Pairs
		}
	}
	var err error
	shown.Figures, err = figures(
		drawing{"Precision and recall", "As the severe threshold falls. The dot is the threshold in use.", precisionRecallChart(r)},
		drawing{"Calibration", "On the dashed line, probabilities can be taken at their word.", calibrationChart(r)},
		drawing{"Risk against coverage", "As the review threshold rises, more is decided without a person, and more of it is wrong.", riskCoverageChart(r)},
		drawing{"What review costs", "As the review threshold falls, fewer severe pairs are approved and more pairs wait for a person.", approvalReviewChart(r)},
	)
	return shown, err
}

func figures(drawings ...drawing) ([]figure, error) {
	var drawn []figure
	for _, drawing := range drawings {
		svg, err := drawing.chart.svg()
		if err != nil {
			return nil, fmt.Errorf("draw %q: %w", drawing.title, err)
		}
		drawn = append(drawn, figure{drawing.title, drawing.says, svg})
	}
	return drawn, nil
}

// execute writes the page that the template of that name makes of what is shown.
func execute(out io.Writer, name string, shown any) error {
	parsed, err := template.New(name).Funcs(template.FuncMap{
		"percent": func(share float64) string { return percent(share) + " %" },
		"hundred": func(share float64) float64 { return 100 * share },
		"number":  func(value float64) string { return fmt.Sprintf("%.3f", value) },
		"severe":  func(label string) bool { return label == model.LabelSevere },
	}).ParseFS(pages, "*.html")
	if err != nil {
		return err
	}
	return parsed.Execute(out, shown)
}
