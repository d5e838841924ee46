-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS account_changes_all
(
    account_id String COMMENT 'Account that changed.' CODEC(ZSTD(1)),
    valid_from DateTime64(3, 'UTC') COMMENT 'From when the change holds.' CODEC(Delta(8), ZSTD(1)),
    source     LowCardinality(String) COMMENT 'Partition that the record came from: topic/partition@topic id.' CODEC(ZSTD(1)),
    offset     UInt64 COMMENT 'Its offset in the source.' CODEC(Delta(8), ZSTD(1)),
    deleted    UInt8 COMMENT '1 if the account was removed.' CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) COMMENT 'The attributes that the record names, as text; the others keep their values. Nested ones are flattened: external_ids.zendesk, targets.active_days.' CODEC(ZSTD(3)),
    generation UInt16 DEFAULT 0 COMMENT 'Generation of the rollups that the row belongs to.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY generation
ORDER BY (generation, account_id, valid_from, source, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'Rows of the table account_changes, of every generation.';
-- +goose StatementEnd
