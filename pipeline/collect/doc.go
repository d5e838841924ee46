// Package collect is Tidemark's front door: an HTTP server compatible with the
// Segment API that writes every event to Kafka, with its account, before it
// answers 200.
//
// # Calls
//
// POST /v1/track, identify, group, page, screen and alias take one message;
// /v1/batch and /v1/import take many. The browser's and mobile SDKs' one-letter
// paths (/v1/t, i, g, p, s, a, b) are the same calls. Bodies may be gzipped. The
// write key comes as the user name of basic auth, or as writeKey in the body.
// POST /v1/signals takes answers to surveys, KPIs, meters, goals and releases
// (docs/formats.md), one or {"batch": [...]}, with the same answers.
// POST and PATCH /v1/accounts take what is known of accounts (accounts.go): one object, an array, or one a line.
// PostHog's SDKs, CloudEvents and OpenTelemetry's evaluations of feature flags have
// paths of their own (dialect.go), the webhooks of ticket systems and surveys
// /v1/webhooks/NAME (webhook.go). docs/sources.md says how to connect each.
// GET /livez, /readyz (Kafka answers, users are known) and /v1/parked (which
// events wait for an account) are for operators.
//
// # Answers
//
// The answer holds for the whole request, a batch is never taken in part:
//
//   - 200: Kafka has every event, on all in-sync replicas.
//   - 400, 401, 413, 415: none was written, and none will be when the request is
//     repeated. The body says {error, field, index, message}. Segment itself
//     answers 200 to such messages and drops them later; its SDKs drop what gets
//     one of these codes and report the error to the application.
//   - 429 (too much at once) and 503 (Kafka does not take it): repeat the request
//     after Retry-After. After a 503 some events may be in Kafka; the repeat is
//     found by its messageIds. @segment/analytics-node gives up after maxRetries
//     (10) answers of 503, analytics-python waits for Retry-After up to its
//     max_rate_limit_duration (30 minutes).
//
// # Events
//
// An event goes on as it was sent, byte for byte in its properties and traits.
// The collector sets receivedAt, originalTimestamp (from timestamp), sentAt (from
// the batch), timestamp (corrected for the client's clock), messageId where there
// is none, and context.groupId where it knows the account. It turns numeric ids
// into strings, which some SDKs do not, merges a batch's context and integrations
// into its messages, and takes writeKey out.
//
// A missing messageId is derived from the message and its times, so that a
// repeated request gets the same ids. A message without any time gets a random
// one: two equal clicks are two events, and a repeat after a 503 may count twice.
// Send a messageId or a timestamp.
//
// # Accounts
//
// A group call, or an identify call with traits.company.id, maps its userId and
// anonymousId to the account; an alias call gives both ids the account that one
// of them has. The map is the compacted users topic. What these calls say counts
// before they are answered, for all collectors a moment later, and for earlier
// events of the same request whose user had no account.
//
// A ticket's account is the one whose external_ids name its organisation.
//
// An event whose account is unknown waits in the compacted parked topic. When
// any collector learns the account, the event moves to telemetry in a Kafka
// transaction, exactly once; readers of telemetry must read committed records
// only. One that waits longer than ParkFor moves without an account, and the
// pipeline reports it as no_account.
package collect
