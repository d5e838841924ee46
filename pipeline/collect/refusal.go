package collect

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"tidemark/pipeline/decode"
	"tidemark/schemas"
)

// refusal is why a request is not accepted, as the client is told.
type refusal struct {
	status     int
	retryAfter time.Duration // 0: a retry of the same request cannot help
	reason     schemas.Reason

	Code    string `json:"error"`
	Field   string `json:"field,omitempty"`
	Index   *int   `json:"index,omitempty"` // of the message in its batch
	Message string `json:"message"`
}

func (r *refusal) Error() string { return r.Message }

func invalid(field, message string) *refusal {
	return &refusal{status: http.StatusBadRequest, Code: "invalid", Field: field, Message: message}
}

func tooLarge(field, message string) *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, Code: "too_large", Field: field, Message: message}
}

func unauthorized() *refusal {
	return &refusal{status: http.StatusUnauthorized, Code: "unauthorized", Field: "writeKey",
		Message: "the write key is missing or unknown: send a configured one as the basic-auth user name or as writeKey in the body"}
}

func forbidden(message string) *refusal {
	return &refusal{status: http.StatusForbidden, Code: "forbidden", Field: "writeKey", Message: message}
}

func overloaded(what string) *refusal {
	return &refusal{status: http.StatusTooManyRequests, retryAfter: time.Second, Code: "overloaded",
		Message: what + ": send the same request again after Retry-After seconds"}
}

func unavailable(what string) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, retryAfter: 2 * time.Second, Code: "unavailable",
		Message: what + ": send the same request again, with the same messageIds, after Retry-After seconds"}
}

// rejected is a refusal in the words of the pipeline, which would refuse the same.
func rejected(r *decode.Rejection) *refusal {
	refused := invalid(r.Field, r.Detail)
	refused.reason = r.Reason
	return refused
}

// rejection is the refusal as the reason of a dead letter.
func (r *refusal) rejection() *decode.Rejection {
	if r == nil {
		return nil
	}
	reason := r.reason
	switch {
	case reason != "":
	case r.status == http.StatusRequestEntityTooLarge:
		reason = schemas.Oversize
	default:
		reason = schemas.Malformed
	}
	return &decode.Rejection{Reason: reason, Field: r.Field, Detail: r.Message}
}

// at returns r for message index of a batch.
func (r *refusal) at(index int) *refusal {
	r.Index = &index
	return r
}

func (r *refusal) write(w http.ResponseWriter) {
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(r.retryAfter/time.Second)))
	}
	if r.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="write key"`)
	}
	writeJSON(w, r.status, r)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone; nobody else is to be told
}
