-- +goose NO TRANSACTION
-- +goose Up
-- What a process writes is taken only while its row is the last one: so one that was deposed while it slept writes nothing.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS trigger_leaders
(
    epoch  UInt64 COMMENT 'Number of the reign: the highest one leads.' CODEC(ZSTD(1)),
    leader String COMMENT 'Process that took over: its host and a random part.' CODEC(ZSTD(1)),
    at     DateTime64(3, 'UTC') COMMENT 'When it took over.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (epoch, leader)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'Processes that evaluated the rules, one after the other.';
-- +goose StatementEnd
