-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS user_accounts_all
(
    source     LowCardinality(String) COMMENT 'Partition that said so: topic/partition@topic id.' CODEC(ZSTD(1)),
    user       UInt64 COMMENT 'Hash of the user: xxhash64 of u: and the user id, or of a: and the anonymous id.' CODEC(ZSTD(1)),
    offset     UInt64 COMMENT 'Offset of the call that named the account.' CODEC(Delta(8), ZSTD(1)),
    account_id String COMMENT 'Account of the user from that offset on.' CODEC(ZSTD(1)),
    generation UInt16 DEFAULT 0 COMMENT 'Generation of the rollups that the row belongs to.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY generation
ORDER BY (generation, source, user, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'Rows of the table user_accounts, of every generation.';
-- +goose StatementEnd
