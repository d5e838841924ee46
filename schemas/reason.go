package schemas

// Reason says why a record went to the dead letters. It is written to their header and to ClickHouse.
type Reason string

// The reasons, in the order in which they are checked.
const (
	Oversize     Reason = "oversize"      // larger than the pipeline takes
	Malformed    Reason = "malformed"     // not a JSON object, or a needed field has the wrong type
	MissingType  Reason = "missing_type"  // telemetry or a signal without type
	UnknownType  Reason = "unknown_type"  // telemetry or a signal of a type that does not exist
	MissingEvent Reason = "missing_event" // track without event
	MissingUser  Reason = "missing_user"  // identify, group or alias without userId and anonymousId
	MissingField Reason = "missing_field" // a ticket, signal or account without what it needs
	UnknownKind  Reason = "unknown_kind"  // a ticket event or survey of a kind that does not exist
	BadTime      Reason = "bad_time"      // a time that is needed cannot be read
	BadValue     Reason = "bad_value"     // a signal whose numbers or fields contradict each other
	Future       Reason = "future"        // later than it was received, beyond what clocks differ
	TooOld       Reason = "too_old"       // older than the longest retention
	NoAccount    Reason = "no_account"    // nothing in the log says which account it belongs to
)
