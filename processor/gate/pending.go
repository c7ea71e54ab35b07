package gate

import "slices"

// item is a tokenized pair that waits for its score.
type item struct {
	pair    int // index into the request's scores
	ids     []int64
	request *request
}

// pending holds the items of all lanes that wait for a batch, by length. It decides which of them go next and starts
// nothing itself.
type pending struct {
	lengths []int    // the padded lengths that batches may have, ascending; empty: any
	buckets [][]item // by padded length; in each the oldest request first
	items   int
	tokens  int // padded to lengths
}

func newPending(lengths []int, maxTokens int) *pending {
	return &pending{lengths: lengths, buckets: make([][]item, maxTokens+1)}
}

// padded returns the length that an item of so many tokens takes in a batch of its own.
func (p *pending) padded(tokens int) int {
	for _, length := range p.lengths {
		if length >= tokens {
			return length
		}
	}
	return tokens
}

func (p *pending) add(items []item) {
	for _, item := range items {
		length := p.padded(len(item.ids))
		p.buckets[length] = inserted(p.buckets[length], item)
		p.items++
		p.tokens += length
	}
}

// inserted keeps a bucket in the order of its requests: what a request adds later goes before the items of those that were
// opened meanwhile.
func inserted(bucket []item, added item) []item {
	at := len(bucket)
	for at > 0 && bucket[at-1].request.sequence > added.request.sequence {
		at--
	}
	return slices.Insert(bucket, at, added)
}

// next removes and returns the items of the next batch and the length to pad them to. The oldest request leads with its
// longest item, so that no request waits for a younger one; the rest of the budget, rows times length, is filled with items
// that are as long or next shorter, of any request. There is at least one, and none when nothing is pending.
func (p *pending) next(budget int) (batch []item, length int) {
	length = p.leading()
	if length == 0 {
		return nil, 0
	}
	room := max(budget/length, 1)
	for l := length; l > 0 && len(batch) < room; l-- {
		taken := min(room-len(batch), len(p.buckets[l]))
		batch = append(batch, p.buckets[l][:taken]...)
		p.buckets[l] = p.buckets[l][taken:]
		if len(p.buckets[l]) == 0 {
			p.buckets[l] = nil // what it grew on can go
		}
		p.tokens -= taken * l
	}
	p.items -= len(batch)
	return batch, length
}

// leading returns the length of the longest item of the oldest request, 0 when nothing is pending.
func (p *pending) leading() int {
	var oldest *item
	leading := 0
	for length := len(p.buckets) - 1; length > 0; length-- {
		if bucket := p.buckets[length]; len(bucket) > 0 && (oldest == nil || bucket[0].request.sequence < oldest.request.sequence) {
			oldest, leading = &bucket[0], length
		}
	}
	return leading
}

// forget removes what a request still has pending.
func (p *pending) forget(request *request) {
	for length, bucket := range p.buckets {
		kept := bucket[:0:0]
		for _, item := range bucket {
			if item.request != request {
				kept = append(kept, item)
			}
		}
		p.items -= len(bucket) - len(kept)
		p.tokens -= (len(bucket) - len(kept)) * length
		p.buckets[length] = kept
	}
}
