package processor

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Session delivers one poll at a time. Finish must be called before the next Poll: it makes
// out durable together with the input offsets, or changes nothing. committed=false with a nil
// error means that the group moved on and the records will be delivered again.
type Session interface {
	Poll(ctx context.Context) ([]*kgo.Record, error)
	Finish(ctx context.Context, out []*kgo.Record) (committed bool, err error)
}

// Rejection is an error of Finish that blames one record of out, which the broker will never take (it is too large for
// its topic). Nothing was committed, and the input will be delivered again.
type Rejection interface {
	error
	Rejected() *kgo.Record
}
