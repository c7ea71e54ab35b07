package eval

import (
	"io"

	"gonum.org/v1/plot/plotter"
)

// placementsPage is what page_placements.html shows.
type placementsPage struct {
	PlacementReport
	Source    string
	Pairs     page
	Made      []made
	Sides     []side
	Frontiers []figure
}

// made is placements of a size that are made of the file's products.
type made struct {
	Products int
	Shares
}

// side is a share that is shown with rules and without.
type side struct{ Name, Key string }

// WritePage is WritePage of a Report, led by what becomes of placements.
func (r PlacementReport) WritePage(out io.Writer, source string) error {
	pairs, err := r.page(source)
	if err != nil {
		return err
	}
	shown := placementsPage{
		PlacementReport: r, Source: source, Pairs: pairs,
		Made: []made{{5, r.At5}, {10, r.At10}, {20, r.At20}},
		Sides: []side{
			{"clean approved", "clean_approved"}, {"clean killed", "clean_killed"}, {"clean held", "clean_held"}, {"severe shown", "severe_shown"},
			{"relevant kept", "relevant_kept"}, {"found severe, and is", "severe_precision"}, {"hard but safe, found severe", "hard_safe_called_severe"},
		},
	}
	shown.Frontiers, err = figures(
		drawing{"Review threshold", "As it rises, more relevant products are kept and more severe ones shown.", reviewFrontierChart(r)},
		drawing{"Severe threshold", "As it falls, more severe products are found and more clean placements killed.", severeFrontierChart(r)},
	)
	if err != nil {
		return err
	}
	return execute(out, "page_placements.html", shown)
}

func reviewFrontierChart(report PlacementReport) chart {
	drawn := chart{x: "relevant products kept", y: "severe products shown", glyphs: true}
	for _, step := range report.ReviewFrontier {
		drawn.add(plotter.XY{X: step.RelevantKept, Y: step.SevereShown}, step.ReviewThreshold <= report.ReviewThreshold)
	}
	return drawn
}

func severeFrontierChart(report PlacementReport) chart {
	drawn := chart{x: "severe products found", y: "clean placements killed", glyphs: true}
	for _, step := range report.SevereFrontier {
		drawn.add(plotter.XY{X: step.SevereRecall, Y: step.CleanKilled}, step.SevereThreshold <= report.SevereThreshold)
	}
	return drawn
}
