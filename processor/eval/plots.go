package eval

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// chart is one drawing of the page: a line, what it is compared with, and the point where the gate stands.
type chart struct {
	x, y     string // what the axes show
	line     plotter.XYs
	diagonal bool        // perfect calibration is the diagonal
	marked   *plotter.XY // the thresholds in use
	top      float64     // of the vertical axis; 0: 1
	glyphs   bool        // the points themselves are few and matter
}

func precisionRecallChart(report Report) chart {
	drawn := chart{x: "recall of severe pairs", y: "precision"}
	for _, point := range report.PrecisionRecall {
		drawn.line = append(drawn.line, plotter.XY{X: point.Recall, Y: point.Precision})
		if drawn.marked == nil || point.SevereThreshold >= report.SevereThreshold {
			drawn.marked = &plotter.XY{X: point.Recall, Y: point.Precision}
		}
	}
	return drawn
}

func calibrationChart(report Report) chart {
	drawn := chart{x: "probability of the top label", y: "share that is right", diagonal: true, glyphs: true}
	for _, bin := range report.Calibration {
		drawn.line = append(drawn.line, plotter.XY{X: bin.Confidence, Y: bin.Accuracy})
	}
	return drawn
}

func riskCoverageChart(report Report) chart {
	return reviewChart(report, "coverage: decided without a person", "of those, wrong", func(point ReviewPoint) plotter.XY {
		return plotter.XY{X: point.Coverage, Y: point.Risk}
	})
}

func approvalReviewChart(report Report) chart {
	return reviewChart(report, "pairs sent to review", "severe pairs approved", func(point ReviewPoint) plotter.XY {
		return plotter.XY{X: point.ReviewRate, Y: point.FalseApprovalRate}
	})
}

// reviewChart shows what moves as the review threshold does.
func reviewChart(report Report, x, y string, at func(ReviewPoint) plotter.XY) chart {
	drawn := chart{x: x, y: y}
	for _, point := range report.ReviewCurve {
		drawn.add(at(point), point.ReviewThreshold <= report.ReviewThreshold)
	}
	return drawn
}

// add draws on to place, with room above it. The last place that reaches up to the threshold in use is marked.
func (c *chart) add(place plotter.XY, reached bool) {
	c.line = append(c.line, place)
	c.top = max(c.top, place.Y*1.1)
	if c.marked == nil || reached {
		c.marked = &place
	}
}

// fifths are the marks of an axis from 0 to 1.
func fifths() []plot.Tick {
	var marks []plot.Tick
	for fifth := range 6 {
		value := float64(fifth) / 5
		marks = append(marks, plot.Tick{Value: value, Label: fmt.Sprintf("%.1f", value)})
	}
	return marks
}

// svg draws the chart as an <svg> element.
func (c chart) svg() (template.HTML, error) {
	ink, accent := color.RGBA{R: 0x1f, G: 0x4e, B: 0x79, A: 0xff}, color.RGBA{R: 0xc0, G: 0x39, B: 0x2b, A: 0xff}
	drawing := plot.New()
	drawing.X.Label.Text, drawing.Y.Label.Text = c.x, c.y
	for _, style := range []*text.Style{&drawing.X.Label.TextStyle, &drawing.Y.Label.TextStyle, &drawing.X.Tick.Label, &drawing.Y.Tick.Label} {
		style.Font.Size = vg.Points(9)
	}
	drawing.X.Min, drawing.X.Max, drawing.Y.Min, drawing.Y.Max = 0, 1, 0, 1
	drawing.X.Tick.Marker = plot.ConstantTicks(fifths())
	if drawing.Y.Tick.Marker = plot.ConstantTicks(fifths()); c.top > 0 {
		drawing.Y.Max, drawing.Y.Tick.Marker = c.top, plot.DefaultTicks{}
	}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{Y: 0xe4}, color.Gray{Y: 0xe4}
	drawing.Add(grid)
	if c.diagonal {
		perfect, err := plotter.NewLine(plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 1}})
		if err != nil {
			return "", err
		}
		perfect.Color, perfect.Dashes = color.Gray{Y: 0x90}, []vg.Length{vg.Points(4), vg.Points(4)}
		drawing.Add(perfect)
	}
	if len(c.line) > 0 {
		line, points, err := plotter.NewLinePoints(c.line)
		if err != nil {
			return "", err
		}
		line.Color, line.Width, points.Color, points.Shape = ink, vg.Points(2), ink, draw.CircleGlyph{}
		drawing.Add(line)
		if c.glyphs {
			drawing.Add(points)
		}
	}
	if c.marked != nil {
		here, err := plotter.NewScatter(plotter.XYs{*c.marked})
		if err != nil {
			return "", err
		}
		here.Color, here.Radius, here.Shape = accent, vg.Points(5), draw.CircleGlyph{}
		drawing.Add(here)
	}
	canvas := vgsvg.New(12*vg.Centimeter, 8*vg.Centimeter)
	drawing.Draw(draw.Crop(draw.New(canvas), 0, -vg.Points(10), 0, -vg.Points(4))) // room for the last number of an axis
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return "", err
	}
	_, element, found := bytes.Cut(out.Bytes(), []byte("<svg"))
	if !found {
		return "", fmt.Errorf("the drawing of %q holds no svg element", c.y)
	}
	return template.HTML("<svg" + string(element)), nil //nolint:gosec // drawn here, from numbers and the labels above
}
