-- +goose NO TRANSACTION
-- +goose Up
-- Since when an account is known is the lowest of many times, and its last record the highest of many: merging rows twice changes
-- neither, so that materialized views may feed the table from inserts that are repeated, replayed and superseded.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS known_accounts_all
(
    account_id  String COMMENT 'Account.' CODEC(ZSTD(1)),
    since       SimpleAggregateFunction(min, DateTime64(3, 'UTC')) COMMENT 'The earliest of its creation, its first record, its first day with events and its first ticket event.' CODEC(Delta(8), ZSTD(1)),
    last_record SimpleAggregateFunction(max, Tuple(valid_from DateTime64(3, 'UTC'), source String, offset UInt64, deleted UInt8)) DEFAULT (toDateTime64('1900-01-01 00:00:00', 3, 'UTC'), '', 0, 0) COMMENT 'Its last record, and whether that removed it; of 1900 without one.' CODEC(ZSTD(1)),
    generation  UInt16 DEFAULT 0 COMMENT 'Generation of the rollups that the row belongs to.' CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY generation
ORDER BY (generation, account_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'Every account that was heard of, of every generation. The materialized views known_by_counters, known_by_records and known_by_tickets fill it.';
-- +goose StatementEnd
