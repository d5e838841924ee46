-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS user_minutes_all
(
    account_id String COMMENT 'Account that the events belong to.' CODEC(ZSTD(1)),
    minute     DateTime('UTC') COMMENT 'Minute in event time.' CODEC(Delta(4), ZSTD(1)),
    user       UInt64 COMMENT 'Hash of the user: xxhash64 of u: and the user id, or of a: and the anonymous id.' CODEC(Delta(8), ZSTD(1)),
    source     LowCardinality(String) COMMENT 'Partition that the events came from: topic/partition@topic id.' CODEC(ZSTD(1)),
    first      SimpleAggregateFunction(min, DateTime64(3, 'UTC')) COMMENT 'First event of the user in the minute.' CODEC(Delta(8), ZSTD(1)),
    last       SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'Last event of the user in the minute.' CODEC(Delta(8), ZSTD(1)),
    generation UInt16 DEFAULT 0 COMMENT 'Generation of the rollups that the row belongs to.' CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY (generation, toYYYYMM(minute))
ORDER BY (generation, account_id, toDate(minute), user, minute, source)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0, ttl_only_drop_parts = 1
COMMENT 'Rows of the table user_minutes, of every generation.';
-- +goose StatementEnd
