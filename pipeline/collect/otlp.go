package collect

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// evaluationEvent is OpenTelemetry's name of the evaluation of a feature flag.
const evaluationEvent = "feature_flag.evaluation"

// evaluation is that somebody was shown, or not, what a flag guards. It is no use of it: it makes a track event without a
// user, which counts in no set of users and in no session, and can only be what uses are divided by.
type evaluation struct {
	user                            string // may be empty
	flag, variant, reason, provider string
}

// evaluate makes out the event of an evaluation. Its user tells the account, and is kept as a property.
func (t *translated) evaluate(out *object, e evaluation) {
	out.remove("userId")
	out.set("type", encodeString(typeTrack))
	out.set("event", encodeString(evaluationEvent))
	properties := object{}
	properties.setText("flag", e.flag)
	properties.setText("variant", e.variant)
	properties.setText("reason", e.reason)
	properties.setText("provider", e.provider)
	properties.setText("context_id", e.user)
	out.set("properties", properties.encode())
	t.joins = false
	if e.user != "" {
		t.waitsFor = []string{userKey(e.user), anonymousKey(e.user)}
	}
}

// logRecord is what is read of a record of OTLP's.
type logRecord struct {
	name       string
	time       uint64            // Unix ns, 0 when unknown
	attributes map[string]string // those of its resource as well
	size       int
}

// accountAttributes name the account in a log record or its resource.
var accountAttributes = []string{"account.id", "account_id", "tenant.id"}

// parseOTLP reads an export of logs (OTLP/HTTP), JSON or protobuf, and takes the evaluations of feature flags in it.
func parseOTLP(c *Collector, r *http.Request, body []byte, _ time.Time) (*request, *refusal) {
	q := &request{}
	records, refused := readLogs(r, body)
	if refused != nil {
		return q, refused
	}
	q.sent = len(records)
	seen := map[[sha256.Size]byte]int{}
	for i, record := range records {
		if record.name != evaluationEvent {
			q.ignored++
			continue
		}
		a := record.attributes
		if a["feature_flag.key"] == "" {
			return q, invalid("feature_flag.key", "feature_flag.key is missing: an evaluation names its flag").at(i)
		}
		var t translated
		out := object{}
		if record.time != 0 {
			at := time.Unix(0, int64(min(record.time, 1<<63-1))).UTC()
			out.set("timestamp", quoteTime(at))
			out.set("messageId", encodeString(record.id(seen)))
		}
		context := object{}
		for _, name := range accountAttributes {
			if a[name] != "" {
				context.set("groupId", encodeString(a[name]))
				break
			}
		}
		out.set("context", context.encode())
		variant := a["feature_flag.result.variant"]
		if variant == "" {
			variant = a["feature_flag.result.value"]
		}
		t.evaluate(&out, evaluation{
			user: a["feature_flag.context.id"], flag: a["feature_flag.key"], variant: variant,
			reason: a["feature_flag.result.reason"], provider: a["feature_flag.provider.name"],
		})
		t.body = out
		if refused := q.add(i, t, record.size, c.limits(), "send the attribute account.id, or feature_flag.context.id"); refused != nil {
			return q, refused
		}
	}
	return q, nil
}

// id is derived from all that the record says, so that an export that is repeated has the same ids; seen tells apart equal
// records of one export.
func (l *logRecord) id(seen map[[sha256.Size]byte]int) string {
	text := strconv.AppendUint(nil, l.time, 10)
	names := make([]string, 0, len(l.attributes))
	for name := range l.attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text = fmt.Appendf(text, " %q %q", name, l.attributes[name])
	}
	sum := sha256.Sum256(text)
	n := seen[sum]
	seen[sum] = n + 1
	if n > 0 {
		sum = sha256.Sum256(fmt.Appendf(sum[:], "%d", n))
	}
	return "ff-" + hex.EncodeToString(sum[:16])
}

func isProtobuf(r *http.Request) bool {
	return strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "application/x-protobuf")
}

func readLogs(r *http.Request, body []byte) ([]logRecord, *refusal) {
	if !isProtobuf(r) {
		return readJSONLogs(body)
	}
	records, ok := readProtoLogs(body)
	if !ok {
		return nil, invalid("", "the body is not an ExportLogsServiceRequest in protobuf: send what its Content-Type says")
	}
	return records, nil
}

// The JSON of OTLP: lowerCamelCase, 64-bit numbers as strings.
type (
	otlpValue struct {
		String *string      `json:"stringValue"`
		Bool   *bool        `json:"boolValue"`
		Int    *json.Number `json:"intValue"`
		Double *json.Number `json:"doubleValue"`
	}
	otlpAttribute struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	otlpRecord struct {
		Time       json.Number     `json:"timeUnixNano"`
		Observed   json.Number     `json:"observedTimeUnixNano"`
		EventName  string          `json:"eventName"`
		Attributes []otlpAttribute `json:"attributes"`
	}
	otlpExport struct {
		ResourceLogs []struct {
			Resource struct {
				Attributes []otlpAttribute `json:"attributes"`
			} `json:"resource"`
			ScopeLogs []struct {
				LogRecords []otlpRecord `json:"logRecords"`
			} `json:"scopeLogs"`
		} `json:"resourceLogs"`
	}
)

func (v otlpValue) text() string {
	switch {
	case v.String != nil:
		return *v.String
	case v.Bool != nil:
		return strconv.FormatBool(*v.Bool)
	case v.Int != nil:
		return v.Int.String()
	case v.Double != nil:
		return v.Double.String()
	}
	return ""
}

func readJSONLogs(body []byte) ([]logRecord, *refusal) {
	if _, _, refused := parseJSON(body); refused != nil {
		return nil, refused
	}
	var export otlpExport
	if err := json.Unmarshal(body, &export); err != nil {
		return nil, invalid("resourceLogs", "the body is not an export of logs in OTLP's JSON: "+err.Error())
	}
	var records []logRecord
	for _, resource := range export.ResourceLogs {
		shared := map[string]string{}
		size := addAttributes(shared, resource.Resource.Attributes)
		for _, scope := range resource.ScopeLogs {
			for _, r := range scope.LogRecords {
				l := logRecord{name: r.EventName, attributes: map[string]string{}, size: size}
				l.size += addAttributes(l.attributes, r.Attributes)
				for _, n := range []json.Number{r.Time, r.Observed} {
					if l.time == 0 {
						l.time, _ = strconv.ParseUint(n.String(), 10, 64)
					}
				}
				records = append(records, l.inherit(shared))
			}
		}
	}
	return records, nil
}

func addAttributes(into map[string]string, attributes []otlpAttribute) (size int) {
	for _, a := range attributes {
		text := a.Value.text()
		into[a.Key] = text
		size += len(a.Key) + len(text)
	}
	return size
}

// inherited are the attributes of a resource that say something of its records; the others would only be copied.
var inherited = append([]string{"feature_flag.provider.name", "service.name"}, accountAttributes...)

// inherit gives the record what its resource says, and its name where older SDKs put it.
func (l logRecord) inherit(resource map[string]string) logRecord {
	for _, name := range inherited {
		if _, own := l.attributes[name]; !own && resource[name] != "" {
			l.attributes[name] = resource[name]
		}
	}
	if l.name == "" {
		l.name = l.attributes["event.name"]
	}
	return l
}

const otlpIgnored = "only " + evaluationEvent + " events are taken here"

// answerOTLP says how many records were not taken for what they are.
func answerOTLP(w http.ResponseWriter, r *http.Request, q *request) {
	if isProtobuf(r) {
		w.Header().Set("Content-Type", "application/x-protobuf")
		if q.ignored > 0 {
			partial := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(q.ignored))
			partial = protowire.AppendString(protowire.AppendTag(partial, 2, protowire.BytesType), otlpIgnored)
			_, _ = w.Write(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial))
		}
		return
	}
	var answer bytes.Buffer
	answer.WriteString(`{"partialSuccess":{`)
	if q.ignored > 0 {
		fmt.Fprintf(&answer, `"rejectedLogRecords":"%d","errorMessage":"%s"`, q.ignored, otlpIgnored)
	}
	answer.WriteString("}}")
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer.Bytes())
}
