package gate

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/winnowgate/winnow/model"
)

type cacheKey [sha256.Size]byte

// cache remembers the logits of pairs that the model has scored, the least recently used leaving first. Keys are
// cryptographic digests, because titles come from outside: nobody can craft one that finds another's score.
type cache struct {
	digest  string
	entries *lru.Cache[cacheKey, model.Logits] // nil: nothing is remembered
}

func newCache(digest string, entries int) *cache {
	if entries == 0 {
		return &cache{}
	}
	remembered, err := lru.New[cacheKey, model.Logits](entries)
	if err != nil {
		panic(fmt.Sprintf("gate: cache of %d entries: %v", entries, err)) // configuration is validated to be positive
	}
	return &cache{digest: digest, entries: remembered}
}

func (c *cache) get(pair pair) (model.Logits, bool) {
	if c.entries == nil {
		return model.Logits{}, false
	}
	return c.entries.Get(c.key(pair))
}

func (c *cache) add(pair pair, logits model.Logits) {
	if c.entries != nil {
		c.entries.Add(c.key(pair), logits)
	}
}

// key hashes digest, theme and title, each preceded by its length so that no two triples read alike.
func (c *cache) key(pair pair) cacheKey {
	buffer := make([]byte, 0, 256)
	for _, part := range []string{c.digest, pair.theme, pair.title} {
		buffer = binary.AppendUvarint(buffer, uint64(len(part)))
		buffer = append(buffer, part...)
	}
	return sha256.Sum256(buffer)
}
