package client

import (
	"encoding/binary"
	"hash/crc32"
)

// A segment file is magic and records, one after another: the payload's length and a CRC-32C of length and payload, four bytes each,
// little-endian, then the payload: kind, length and bytes of key and id, body.
const (
	magic      = "tmspool1"
	headerSize = 8
	// maxPayload bounds what is read of a record: a length above it is garbage.
	maxPayload = 2 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord appends the event's record to b.
func appendRecord(b []byte, e Event) []byte {
	start := len(b)
	b = append(b, make([]byte, headerSize)...)
	b = append(b, byte(e.Kind))
	b = binary.AppendUvarint(b, uint64(len(e.Key)))
	b = append(b, e.Key...)
	b = binary.AppendUvarint(b, uint64(len(e.ID)))
	b = append(b, e.ID...)
	b = append(b, e.Body...)
	header := b[start : start+headerSize]
	binary.LittleEndian.PutUint32(header, uint32(len(b)-start-headerSize)) //nolint:gosec // events are below maxPayload
	binary.LittleEndian.PutUint32(header[4:], sum(header[:4], b[start+headerSize:]))
	return b
}

func sum(length, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, payload)
}

// readRecord returns the event at the start of b and the bytes of its record. ok is false for anything that was not wholly written.
func readRecord(b []byte) (e Event, size int, ok bool) {
	if len(b) < headerSize {
		return e, 0, false
	}
	length := binary.LittleEndian.Uint32(b)
	if length == 0 || length > maxPayload || int(length) > len(b)-headerSize {
		return e, 0, false
	}
	payload := b[headerSize : headerSize+int(length)]
	if sum(b[:4], payload) != binary.LittleEndian.Uint32(b[4:]) {
		return e, 0, false
	}
	e.Kind, payload = Kind(payload[0]), payload[1:]
	var texts [2]string
	for i := range texts {
		n, width := binary.Uvarint(payload)
		if width <= 0 || n > uint64(len(payload)-width) { //nolint:gosec // a length
			return e, 0, false
		}
		texts[i], payload = string(payload[width:width+int(n)]), payload[width+int(n):] //nolint:gosec // no more than there is
	}
	e.Key, e.ID, e.Body = texts[0], texts[1], payload
	return e, headerSize + int(length), true
}

// readRecords calls visit for each event of a segment's content behind its magic, until visit returns false or something was not
// wholly written. It returns the bytes that it has passed.
func readRecords(b []byte, visit func(e Event, size int) bool) int {
	at := 0
	for {
		e, size, ok := readRecord(b[at:])
		if !ok || !visit(e, size) {
			return at
		}
		at += size
	}
}
