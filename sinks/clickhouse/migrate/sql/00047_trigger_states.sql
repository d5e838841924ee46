-- +goose NO TRANSACTION
-- +goose Up
-- What changes without a transition: a condition that has begun to hold, or has ceased to. A transition carries its state itself; the
-- highest version of both tables holds.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS trigger_states
(
    rule       LowCardinality(String) COMMENT 'Name of the rule.' CODEC(ZSTD(1)),
    account_id String COMMENT 'Account.' CODEC(ZSTD(1)),
    state      String COMMENT 'State of the rule for the account, as JSON.' CODEC(ZSTD(3)),
    version    UInt64 COMMENT 'Number of the state among those of the rule and account.' CODEC(ZSTD(1)),
    known_at   DateTime64(3, 'UTC') COMMENT 'When it became so.' CODEC(Delta(8), ZSTD(1)),
    leader     String COMMENT 'Process that wrote it.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (rule, account_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'States of rules for accounts between transitions, such as pending.';
-- +goose StatementEnd
