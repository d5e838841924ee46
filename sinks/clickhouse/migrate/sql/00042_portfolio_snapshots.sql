-- +goose NO TRANSACTION
-- +goose Up
-- What was shown is kept as text by column, so that a version with other columns can add to it and read it. An account's rows
-- hardly differ and lie beside each other, so they compress well. After 35 days one row a day is left.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS portfolio_snapshots
(
    known_at   DateTime64(3, 'UTC') COMMENT 'When the view portfolio showed the row.' CODEC(Delta(8), ZSTD(1)),
    account_id String COMMENT 'Account.' CODEC(ZSTD(1)),
    values     Map(LowCardinality(String), String) COMMENT 'Columns of the view as text; those that were NULL are left out.' CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(known_at)
ORDER BY (account_id, known_at)
TTL toDateTime(known_at) + toIntervalDay(35) DELETE WHERE toHour(known_at) > 0, toDateTime(known_at) + toIntervalDay(400) DELETE
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'What the view portfolio showed, every hour. The view portfolio_known reads it.';
-- +goose StatementEnd
