package eval

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"github.com/winnowgate/winnow/model"
)

//go:embed page.html
var pageHTML string

// figure is a chart with its words.
type figure struct {
	Title, Says string
	SVG         template.HTML
}

// page is what page.html shows.
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
	for _, drawn := range []struct {
		title, says string
		chart       chart
	}{
		{"Precision and recall", "As the severe threshold falls. The dot is the threshold in use.", precisionRecallChart(r)},
		{"Calibration", "On the dashed line, probabilities can be taken at their word.", calibrationChart(r)},
		{"Risk against coverage", "As the review threshold rises, more is decided without a person, and more of it is wrong.", riskCoverageChart(r)},
		{"What review costs", "As the review threshold falls, fewer severe pairs are approved and more pairs wait for a person.", approvalReviewChart(r)},
	} {
		svg, err := drawn.chart.svg()
		if err != nil {
			return fmt.Errorf("draw %q: %w", drawn.title, err)
		}
		shown.Figures = append(shown.Figures, figure{drawn.title, drawn.says, svg})
	}
	parsed, err := template.New("page").Funcs(template.FuncMap{
		"percent": func(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) },
		"number":  func(value float64) string { return fmt.Sprintf("%.3f", value) },
		"severe":  func(label string) bool { return label == model.LabelSevere },
	}).Parse(pageHTML)
	if err != nil {
		return err
	}
	return parsed.Execute(out, shown)
}
