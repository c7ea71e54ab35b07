package processor

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// position is where an input record stands; as text, the value of the header winnow-source.
type position struct {
	topic     string
	partition int32
	offset    int64
}

func positionOf(record *kgo.Record) position {
	return position{record.Topic, record.Partition, record.Offset}
}

func (p position) String() string { return fmt.Sprintf("%s/%d/%d", p.topic, p.partition, p.offset) }

// parsePosition reads the header winnow-source of an output record; topic names hold no slash.
func parsePosition(record *kgo.Record) (position, error) {
	for _, header := range record.Headers {
		if header.Key != HeaderSource {
			continue
		}
		parts := strings.Split(string(header.Value), "/")
		if len(parts) != 3 {
			break
		}
		partition, err := strconv.ParseInt(parts[1], 10, 32)
		if err != nil {
			break
		}
		offset, err := strconv.ParseInt(parts[2], 10, 64)
		if err != nil {
			break
		}
		return position{parts[0], int32(partition), offset}, nil
	}
	return position{}, fmt.Errorf("output record without a readable header %s", HeaderSource)
}
