-- +goose NO TRANSACTION
-- +goose Up
-- History and outbox in one. The id is a function of rule, account, episode and number, so a repeat is the same row; of repeats
-- that differ in when they were made, the first one holds.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS alert_transitions
(
    id         String COMMENT 'Id of the transition, and of its delivery: a function of the alert and seq.' CODEC(ZSTD(1)),
    alert_id   String COMMENT 'Id of the alert: a function of rule, account and episode.' CODEC(ZSTD(1)),
    seq        UInt32 COMMENT 'Number of the transition within the alert, from 1.' CODEC(ZSTD(1)),
    kind       LowCardinality(String) COMMENT 'What happened: fired, level, amended, retracted or resolved.' CODEC(ZSTD(1)),
    rule       LowCardinality(String) COMMENT 'Name of the rule.' CODEC(ZSTD(1)),
    account_id String COMMENT 'Account that the alert is about.' CODEC(ZSTD(1)),
    episode    UInt64 COMMENT 'How many times the rule had fired for the account by then.' CODEC(ZSTD(1)),
    severity   LowCardinality(String) COMMENT 'Severity of the rule.' CODEC(ZSTD(1)),
    level      UInt16 COMMENT 'Levels of the ladder that were reached; 0 without a ladder.' CODEC(ZSTD(1)),
    value      Nullable(Float64) COMMENT 'Value that the rule shows; NULL if it shows none or it is unknown.' CODEC(ZSTD(1)),
    at         DateTime64(3, 'UTC') COMMENT 'Instant that was judged, in event time.' CODEC(Delta(8), ZSTD(1)),
    known_at   DateTime64(3, 'UTC') COMMENT 'When Tidemark knew.' CODEC(Delta(8), ZSTD(1)),
    not_before DateTime64(3, 'UTC') COMMENT 'When quiet hours end that hold the delivery back; 1970 = none do.' CODEC(ZSTD(1)),
    final      Bool COMMENT 'Whether the window that was judged was complete.' CODEC(ZSTD(1)),
    playbook   LowCardinality(String) COMMENT 'What to do, as the rule says.' CODEC(ZSTD(1)),
    owner      LowCardinality(String) COMMENT 'Who does it, as the rule says.' CODEC(ZSTD(1)),
    targets    Array(LowCardinality(String)) COMMENT 'Delivery targets.' CODEC(ZSTD(1)),
    payload    String COMMENT 'What is delivered: JSON with the evidence.' CODEC(ZSTD(3)),
    state      String COMMENT 'State of the rule for the account after it, as JSON.' CODEC(ZSTD(3)),
    version    UInt64 COMMENT 'Number of the state among those of the rule and account.' CODEC(ZSTD(1)),
    leader     String COMMENT 'Process that wrote it.' CODEC(ZSTD(1)),
    precedence UInt64 DEFAULT 18446744073709551615 - toUnixTimestamp64Milli(known_at) COMMENT 'Of repeats, the highest holds.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(precedence)
ORDER BY (rule, account_id, alert_id, seq, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'What became of alerts, a row a transition: their history, and what there is to deliver. The views alerts and alert_history read it.';
-- +goose StatementEnd
