package schema

// Class says why a record can't be used; it is the value of the header winnow-error-class of a dead letter.
type Class string

// The classes of input that this package refuses. Each blames the record, so reading it again changes nothing.
const (
	ClassEncoding      Class = "encoding"       // bytes that are not the encoding or not the schema they claim
	ClassUnknownSchema Class = "unknown-schema" // a schema id or fingerprint that nobody knows
	ClassLimit         Class = "limit"          // larger than the limits allow
	ClassInvalid       Class = "invalid"        // well encoded, but not a placement
)

// Error blames one record. Every other error of this package (a registry out of reach) blames the surroundings.
type Error struct {
	Class Class
	Err   error
}

func (e *Error) Error() string { return string(e.Class) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
