-- +goose NO TRANSACTION
-- +goose Up
-- A target that answers 410 Gone is asked no more, by whichever process: so that is kept. Another address of the target is another target.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS delivery_targets
(
    target   LowCardinality(String) COMMENT 'Name of the target.' CODEC(ZSTD(1)),
    address  String COMMENT 'Hash of where it is; empty: wherever it is.' CODEC(ZSTD(1)),
    disabled Bool COMMENT 'Whether nothing is sent to it.' CODEC(ZSTD(1)),
    reason   String COMMENT 'What it said.' CODEC(ZSTD(1)),
    at       DateTime64(3, 'UTC') COMMENT 'When it became so; the last row holds.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (target, at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'Targets that said that they are gone, and those that were enabled again, a row a change.';
-- +goose StatementEnd
