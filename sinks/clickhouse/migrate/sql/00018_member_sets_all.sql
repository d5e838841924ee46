-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS member_sets_all
(
    tier         Enum8('minute' = 1, 'hour' = 2, 'day' = 3) COMMENT 'Length of the window.' CODEC(ZSTD(1)),
    account_id   String COMMENT 'Account that the events belong to.' CODEC(ZSTD(1)),
    window_start DateTime('UTC') COMMENT 'Start of the window in event time; it ends before the next one starts.' CODEC(Delta(4), ZSTD(1)),
    feature      LowCardinality(String) COMMENT 'Feature of the product; empty for the account as a whole.' CODEC(ZSTD(1)),
    metric       LowCardinality(String) COMMENT 'Name of a distinct count in the catalogue.' CODEC(ZSTD(1)),
    members      SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)) COMMENT 'Hashes of users that were seen: xxhash64 of u: and the user id, or of a: and the anonymous id.' CODEC(ZSTD(1)),
    source       LowCardinality(String) COMMENT 'Partition that the events came from: topic/partition@topic id.' CODEC(ZSTD(1)),
    generation   UInt16 DEFAULT 0 COMMENT 'Generation of the rollups that the row belongs to.' CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY (generation, tier, toYYYYMM(window_start))
ORDER BY (generation, tier, account_id, window_start, feature, metric, source)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0, ttl_only_drop_parts = 1
COMMENT 'Rows of the table member_sets, of every generation.';
-- +goose StatementEnd
