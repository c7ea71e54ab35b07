package processor

import (
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The headers of every output. Values are small and ASCII.
const (
	HeaderSource       = "winnow-source"   // topic/partition/offset of the candidate
	HeaderDecision     = "winnow-decision" // Decision.id
	HeaderModel        = "winnow-model"
	HeaderPolicy       = "winnow-policy"
	HeaderProvider     = "winnow-provider"
	HeaderVerdict      = "winnow-verdict" // approved, severe, review or dead-letter
	HeaderReasons      = "winnow-reasons" // comma-separated codes
	HeaderErrorClass   = "winnow-error-class"
	HeaderErrorMessage = "winnow-error-message"

	ownHeaders        = "winnow-"
	headerTraceparent = "traceparent"
)

// VerdictDeadLetter is the value of winnow-verdict of what could not be judged; the others are package judge's outcomes.
const VerdictDeadLetter = "dead-letter"

// maxMessage bounds winnow-error-message: an error may quote its input.
const maxMessage = 500

func header(key, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: []byte(value)}
}

// traceparent returns the source's trace context, to be passed through.
func traceparent(source *kgo.Record) []kgo.RecordHeader {
	for _, header := range source.Headers {
		if header.Key == headerTraceparent {
			return []kgo.RecordHeader{header}
		}
	}
	return nil
}

// foreignHeaders are the source's headers but for those that look like ours: nobody outside vouches in Winnow's name.
func foreignHeaders(source *kgo.Record) []kgo.RecordHeader {
	var kept []kgo.RecordHeader
	for _, header := range source.Headers {
		if !strings.HasPrefix(header.Key, ownHeaders) {
			kept = append(kept, header)
		}
	}
	return kept
}

// ascii makes an error message fit for a header: printable ASCII on one line, cut to maxMessage bytes.
func ascii(message string) string {
	quoted := strconv.QuoteToASCII(message)
	quoted = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	if len(quoted) > maxMessage {
		quoted = quoted[:maxMessage-3] + "..."
	}
	return quoted
}

func abridged(text string) string {
	const limit = 60
	if len(text) > limit {
		return strings.ToValidUTF8(text[:limit], "") + "..."
	}
	return text
}
