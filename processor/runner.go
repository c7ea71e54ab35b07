// Package processor carries records from a consumer group through the gate to the topics of verdicts. It knows no model.
package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/winnowgate/winnow/processor/gate"
	"github.com/winnowgate/winnow/schema"
)

// Topics are the names of the four topics that verdicts go to.
type Topics struct{ Approved, Tombstones, Review, DeadLetter string }

// Config is what a Runner needs besides its collaborators.
type Config struct {
	Topics Topics
	Model  string // name@digest prefix, written into every verdict
	// MaxDeadLetterShare is the share of the latest records above which dead letters are no longer the records' fault but
	// that of something they share, such as a generator's release or a broken engine.
	MaxDeadLetterShare float64
	FinishTimeout      time.Duration // for making one poll's verdicts durable, also while stopping
}

// The share of dead letters is taken over a poll, or over the latest 100 records where polls are smaller, and says nothing
// below 20 dead letters: one poison record alone in its poll is a share of 100 %.
const (
	systemicWindow = 100
	fewestSystemic = 20
)

// ErrSystemic is returned by Run when so many of the latest records would become dead letters that the fault is not
// theirs. Nothing of the poll in hand was committed.
var ErrSystemic = errors.New("too large a share of records can't be judged")

// Runner is one lane: it polls, judges, and finishes, one poll after the other.
type Runner struct {
	session Session
	gate    *gate.Gate
	codec   *schema.Codec
	config  Config
	metrics *Metrics
	now     func() time.Time

	// condemned are inputs whose verdict the broker refused; delivered again, each becomes a small dead letter.
	condemned map[position]error
	recent    []bool       // of the latest records with a committed verdict: became a dead letter
	busySince atomic.Int64 // Unix nanoseconds at which the poll in hand arrived; 0 while waiting for one
}

// NewRunner returns a lane over session. Several lanes may share a gate, a codec and metrics.
func NewRunner(session Session, gate *gate.Gate, codec *schema.Codec, config Config, metrics *Metrics) *Runner {
	return &Runner{session: session, gate: gate, codec: codec, config: config, metrics: metrics, now: time.Now, condemned: map[position]error{}}
}

// BusySince returns when the poll in hand arrived; ok is false while the lane waits for one.
func (r *Runner) BusySince() (since time.Time, ok bool) {
	nanoseconds := r.busySince.Load()
	return time.Unix(0, nanoseconds), nanoseconds != 0
}

// Run works until ctx ends, which is no error, or until something fails that needs a person or a restart. What was
// polled and not committed then will be delivered again.
func (r *Runner) Run(ctx context.Context) error {
	for {
		records, err := r.session.Poll(ctx)
		if stopped(ctx, err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("poll: %w", err)
		}
		r.busySince.Store(r.now().UnixNano())
		err = r.process(ctx, records)
		r.busySince.Store(0)
		if stopped(ctx, err) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// stopped tells an error that only says that ctx ended from one that would have come anyway.
func stopped(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err()))
}

func (r *Runner) process(ctx context.Context, records []*kgo.Record) error {
	decisions, err := r.decide(ctx, records)
	if err != nil {
		return err
	}
	if err := r.checkShare(decisions); err != nil {
		return err
	}
	var out []*kgo.Record
	for _, decision := range decisions {
		out = append(out, decision.out...)
	}
	// Detached: once the verdicts are made, a stop waits for them to be durable, within the timeout.
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.FinishTimeout)
	defer cancel()
	started := r.now()
	committed, err := r.session.Finish(finish, out)
	r.metrics.finish.Observe(r.now().Sub(started).Seconds())
	var rejection Rejection
	if errors.As(err, &rejection) {
		return r.condemn(rejection)
	}
	if err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	r.metrics.observe(decisions, committed, r.now())
	if committed {
		r.recent = r.window(decisions)
		for _, record := range records {
			delete(r.condemned, positionOf(record))
		}
	}
	return nil
}

// decision is what becomes of one input record.
type decision struct {
	source  *kgo.Record
	verdict string // value of the header winnow-verdict
	class   Class  // of a dead letter
	out     []*kgo.Record
}

func (r *Runner) decide(ctx context.Context, records []*kgo.Record) ([]decision, error) {
	decisions := make([]decision, len(records))
	var candidates []schema.Candidate
	var indexes []int // of the record that each candidate came from
	for i, record := range records {
		candidate, err := r.decode(ctx, record)
		var blame *deadLetterError
		switch {
		case errors.As(err, &blame):
			decisions[i] = r.deadLetter(record, blame)
		case err != nil:
			return nil, fmt.Errorf("decode %s: %w", positionOf(record), err)
		default:
			candidates, indexes = append(candidates, candidate), append(indexes, i)
		}
	}
	outcomes, err := r.gate.Judge(ctx, candidates)
	if err != nil {
		return nil, fmt.Errorf("judge: %w", err)
	}
	for i, outcome := range outcomes {
		at := indexes[i]
		if outcome.Err != nil {
			decisions[at] = r.deadLetter(records[at], &deadLetterError{ClassInference, outcome.Err})
			continue
		}
		decisions[at] = r.encode(records[at], &candidates[i], &outcome.Verdict)
	}
	return decisions, nil
}

// decode returns the candidate in record, or a *deadLetterError when the record itself is at fault.
func (r *Runner) decode(ctx context.Context, record *kgo.Record) (schema.Candidate, error) {
	if err, ok := r.condemned[positionOf(record)]; ok {
		return schema.Candidate{}, &deadLetterError{ClassUndeliverable, err}
	}
	candidate, err := r.codec.DecodeCandidate(ctx, record.Value)
	var blame *schema.Error
	switch {
	case errors.As(err, &blame):
		return schema.Candidate{}, &deadLetterError{Class(blame.Class), blame.Err}
	case err != nil:
		return schema.Candidate{}, err
	case string(record.Key) != candidate.PlacementID:
		return schema.Candidate{}, &deadLetterError{ClassKey, fmt.Errorf("the record's key is %q, its placement_id %q: they must be equal", abridged(string(record.Key)), abridged(candidate.PlacementID))}
	}
	return candidate, nil
}

// window returns, for the latest records with those of decisions last, which became dead letters: all of decisions, and of
// what came before as many as systemicWindow takes.
func (r *Runner) window(decisions []decision) []bool {
	window := slices.Clone(r.recent)
	for _, decision := range decisions {
		window = append(window, decision.verdict == VerdictDeadLetter)
	}
	return window[len(window)-min(len(window), max(systemicWindow, len(decisions))):]
}

func (r *Runner) checkShare(decisions []decision) error {
	window := r.window(decisions)
	dead := 0
	for _, isDead := range window {
		if isDead {
			dead++
		}
	}
	one := slices.IndexFunc(decisions, func(decision decision) bool { return decision.verdict == VerdictDeadLetter })
	if one < 0 || dead < fewestSystemic || float64(dead) <= r.config.MaxDeadLetterShare*float64(len(window)) {
		return nil
	}
	return fmt.Errorf("%w: %d of the latest %d, above the share of %v that policy.max_dead_letter_share allows; one is %s (%s). Nothing of this poll was committed: mend the cause, or raise the share to let them become dead letters",
		ErrSystemic, dead, len(window), r.config.MaxDeadLetterShare, positionOf(decisions[one].source), decisions[one].class)
}

func (r *Runner) condemn(rejection Rejection) error {
	source, err := parsePosition(rejection.Rejected())
	if err != nil {
		return fmt.Errorf("finish: %w", errors.Join(rejection, err))
	}
	if _, again := r.condemned[source]; again {
		return fmt.Errorf("finish: not even the dead letter of %s can be produced: %w", source, rejection)
	}
	r.condemned[source] = rejection
	r.metrics.finishes.WithLabelValues("rejected").Inc()
	return nil
}
