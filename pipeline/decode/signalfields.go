package decode

// signalField is a member of a signal that decoding reads; the zero field is any other.
type signalField uint8

const (
	noSignalField signalField = iota
	signalTypeField
	signalReceivedAt
	signalAccountID
	surveyID
	responseID
	surveyUserID
	surveyKind
	surveyComment
	respondedAt
	kpiName
	kpiUnit
	kpiPeriod
	kpiPeriodStart
	kpiPeriodEnd
	reportedAt
	meterName
	signalAt
	goalID
	goalName
	goalMetric
	goalDirection
	goalStartsAt
	goalDueAt
	goalOwner
	goalDefinedAt
	releaseVersion
	releaseNotes
	releaseSegment
	surveyScaleMin
	surveyScaleMax
	surveyScore
	signalValue
	meterLimit
	goalStart
	goalTarget
	signalFieldCount
)

// lastSignalText is the last field that is a string; those after it are numbers.
const lastSignalText = releaseSegment

var signalFieldNames = [signalFieldCount]string{
	signalTypeField: "type", signalReceivedAt: "receivedAt", signalAccountID: "account_id",
	surveyID: "survey_id", responseID: "response_id", surveyUserID: "user_id", surveyKind: "kind", surveyComment: "comment", respondedAt: "responded_at",
	kpiName: "kpi", kpiUnit: "unit", kpiPeriod: "period", kpiPeriodStart: "period_start", kpiPeriodEnd: "period_end", reportedAt: "reported_at",
	meterName: "meter", signalAt: "at",
	goalID: "goal_id", goalName: "name", goalMetric: "metric", goalDirection: "direction", goalStartsAt: "starts_at", goalDueAt: "due_at",
	goalOwner: "owner", goalDefinedAt: "defined_at",
	releaseVersion: "version", releaseNotes: "notes", releaseSegment: "segment",
	surveyScaleMin: "scale_min", surveyScaleMax: "scale_max", surveyScore: "score", signalValue: "value", meterLimit: "limit",
	goalStart: "start", goalTarget: "target",
}

var signalFields = func() map[string]signalField {
	all := map[string]signalField{}
	for f := noSignalField + 1; f < signalFieldCount; f++ {
		all[signalFieldNames[f]] = f
	}
	return all
}()

// signalType says how one type of signal becomes a fact.
type signalType struct {
	kind, name string
	entity     signalField
	at         signalField
	value      signalField
	needs      []signalField
	attributes []signalField // kept as text
	undated    bool          // `at` may be missing: the signal is of when it was received, and no duplicate of another
}

var signalTypes = map[string]*signalType{
	"survey.responded": {kind: "survey", entity: surveyID, at: respondedAt, value: surveyScore,
		needs:      []signalField{surveyID, signalAccountID, surveyKind, surveyScore, respondedAt},
		attributes: []signalField{responseID, surveyScaleMin, surveyScaleMax, surveyComment}},
	"kpi.reported": {kind: "kpi", name: "reported", entity: kpiName, at: reportedAt, value: signalValue,
		needs:      []signalField{kpiName, signalAccountID, signalValue, reportedAt},
		attributes: []signalField{kpiUnit, kpiPeriod, kpiPeriodStart, kpiPeriodEnd}},
	"meter.reported": {kind: "meter", name: "reported", entity: meterName, at: signalAt, value: signalValue,
		needs:      []signalField{meterName, signalAccountID, signalValue, signalAt},
		attributes: []signalField{meterLimit}},
	"goal.defined": {kind: "goal", name: "defined", entity: goalID, at: goalDefinedAt, value: goalTarget, undated: true,
		needs:      []signalField{goalID, signalAccountID, goalStart, goalTarget, goalStartsAt, goalDueAt},
		attributes: []signalField{goalName, goalMetric, kpiName, meterName, goalStart, goalDirection, goalStartsAt, goalDueAt, goalOwner}},
	"release.deployed": {kind: "release", name: "deployed", entity: releaseVersion, at: signalAt,
		needs:      []signalField{releaseVersion, signalAt},
		attributes: []signalField{releaseNotes, releaseSegment}},
}
