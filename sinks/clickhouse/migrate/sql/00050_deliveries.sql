-- +goose NO TRANSACTION
-- +goose Up
-- A row a target and transition, the last version of it holding; a transition that nothing was decided about has none. What goes out in
-- one message is inserted in one block, and the table has no partitions, so that a message is there as a whole or not at all.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS deliveries
(
    target     LowCardinality(String) COMMENT 'Name of the target.' CODEC(ZSTD(1)),
    alert_id   String COMMENT 'Alert.' CODEC(ZSTD(1)),
    id         String COMMENT 'Transition of the alert: id in alert_transitions.' CODEC(ZSTD(1)),
    message_id String COMMENT 'Message that it goes out in, which is the webhook-id: the transition''s own id, or that of a digest. It never changes.' CODEC(ZSTD(1)),
    outcome    Enum8('pending' = 1, 'delivered' = 2, 'dead' = 3, 'skipped' = 4, 'dropped' = 5) COMMENT 'Where it stands. Dead ones were given up and can be redriven; skipped is the end of an alert of which nothing reached the target; dropped ones were taken out by a person.' CODEC(ZSTD(1)),
    attempt    UInt16 COMMENT 'Attempts made; 0 = it is about to be sent.' CODEC(ZSTD(1)),
    first_at   DateTime64(3, 'UTC') COMMENT 'When it was first to be sent, or redriven.' CODEC(Delta(8), ZSTD(1)),
    at         DateTime64(3, 'UTC') COMMENT 'When it came to stand so.' CODEC(Delta(8), ZSTD(1)),
    next_at    DateTime64(3, 'UTC') COMMENT 'When the next attempt is due; 1970 if there is none.' CODEC(Delta(8), ZSTD(1)),
    status     UInt16 COMMENT 'HTTP or SMTP status of the last attempt; 0 = there was no answer.' CODEC(ZSTD(1)),
    detail     String COMMENT 'What was wrong, or who dropped it.' CODEC(ZSTD(1)),
    version    UInt64 COMMENT 'Number of the change; the highest holds.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (target, alert_id, id)
TTL toDateTime(at) + toIntervalDay(800)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'Where the delivery of each transition of an alert to each of its targets stands. The view alert_deliveries reads it.';
-- +goose StatementEnd
