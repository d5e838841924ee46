-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS silences
(
    id         String COMMENT 'Id of the silence.' CODEC(ZSTD(1)),
    rule       String COMMENT 'Rule that is silenced; empty: every rule.' CODEC(ZSTD(1)),
    account_id String COMMENT 'Account that is silenced; empty: every account.' CODEC(ZSTD(1)),
    starts_at  DateTime64(3, 'UTC') COMMENT 'From when on.' CODEC(ZSTD(1)),
    ends_at    DateTime64(3, 'UTC') COMMENT 'Until when; ending one early writes the row again with an earlier end.' CODEC(ZSTD(1)),
    reason     String COMMENT 'Why.' CODEC(ZSTD(1)),
    created_by String COMMENT 'By whom.' CODEC(ZSTD(1)),
    changed_at DateTime64(3, 'UTC') COMMENT 'When the row was written: the latest of an id holds.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(changed_at)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'Silences: rules and accounts for which nothing new is fired meanwhile. The view alert_silences reads it.';
-- +goose StatementEnd
