package collect

import (
	"math"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// eachField calls visit for every field of a protobuf message and reports whether the message is sound. A field has a number or bytes,
// by its type; those of other types are passed over.
func eachField(message []byte, visit func(field protowire.Number, number uint64, value []byte) bool) bool {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return false
		}
		message = message[n:]
		var number uint64
		var value []byte
		switch kind {
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(message)
		case protowire.Fixed64Type:
			number, n = protowire.ConsumeFixed64(message)
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(field, kind, message)
		}
		if n < 0 {
			return false
		}
		message = message[n:]
		if !visit(field, number, value) {
			return false
		}
	}
	return true
}

// readProtoLogs reads an ExportLogsServiceRequest; the numbers of fields are those of opentelemetry/proto/logs/v1/logs.proto.
func readProtoLogs(body []byte) (records []logRecord, ok bool) {
	ok = eachField(body, func(field protowire.Number, _ uint64, resourceLogs []byte) bool {
		if field != 1 {
			return true
		}
		shared, first := map[string]string{}, len(records)
		sound := eachField(resourceLogs, func(field protowire.Number, _ uint64, value []byte) bool {
			switch field {
			case 1: // resource
				return eachField(value, func(field protowire.Number, _ uint64, attribute []byte) bool {
					return field != 1 || readProtoAttribute(shared, attribute)
				})
			case 2: // scope_logs
				return eachField(value, func(field protowire.Number, _ uint64, log []byte) bool {
					if field != 2 {
						return true
					}
					record, ok := readProtoRecord(log)
					records = append(records, record)
					return ok
				})
			}
			return true
		})
		for i := first; i < len(records); i++ {
			records[i] = records[i].inherit(shared)
		}
		return sound
	})
	return records, ok
}

func readProtoRecord(log []byte) (logRecord, bool) {
	record := logRecord{attributes: map[string]string{}, size: len(log)}
	var observed uint64
	ok := eachField(log, func(field protowire.Number, number uint64, value []byte) bool {
		switch field {
		case 1:
			record.time = number
		case 11:
			observed = number
		case 6:
			return readProtoAttribute(record.attributes, value)
		case 12:
			record.name = string(value)
			return utf8.Valid(value)
		}
		return true
	})
	if record.time == 0 {
		record.time = observed
	}
	return record, ok
}

// readProtoAttribute reads a KeyValue whose value is a string, a bool or a number; of others only the key is kept.
func readProtoAttribute(into map[string]string, attribute []byte) bool {
	var key, text string
	ok := eachField(attribute, func(field protowire.Number, _ uint64, value []byte) bool {
		switch field {
		case 1:
			key = string(value)
			return utf8.Valid(value)
		case 2:
			return eachField(value, func(field protowire.Number, number uint64, value []byte) bool {
				switch field {
				case 1:
					text = string(value)
					return utf8.Valid(value)
				case 2:
					text = strconv.FormatBool(number != 0)
				case 3:
					text = strconv.FormatInt(int64(number), 10) //nolint:gosec // two's complement, as protobuf has it
				case 4:
					text = strconv.FormatFloat(math.Float64frombits(number), 'g', -1, 64)
				}
				return true
			})
		}
		return true
	})
	into[key] = text
	return ok
}
