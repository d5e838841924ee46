-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS checkpoints_all
(
    source         LowCardinality(String) COMMENT 'Partition: topic/partition@topic id.' CODEC(ZSTD(1)),
    offset         UInt64 COMMENT 'Next offset to read: the prefix ends before it.' CODEC(Delta(8), ZSTD(1)),
    received       UInt64 COMMENT 'Records of the prefix. received = applied + duplicate + filtered + dead_lettered.' CODEC(Delta(8), ZSTD(1)),
    applied        UInt64 COMMENT 'Of those, folded into rows.' CODEC(Delta(8), ZSTD(1)),
    duplicate      UInt64 COMMENT 'Of those, repeats of a message id.' CODEC(Delta(8), ZSTD(1)),
    filtered       UInt64 COMMENT 'Of those, records that are valid and that no metric takes.' CODEC(Delta(8), ZSTD(1)),
    dead_lettered  UInt64 COMMENT 'Of those, records that could not be read.' CODEC(Delta(8), ZSTD(1)),
    watermark      DateTime64(3, 'UTC') COMMENT 'Event time up to which the prefix is thought complete.' CODEC(Delta(8), ZSTD(1)),
    max_event_time DateTime64(3, 'UTC') COMMENT 'Highest event time of the prefix.' CODEC(Delta(8), ZSTD(1)),
    log_time       DateTime64(3, 'UTC') COMMENT 'Kafka timestamp of the last record of the prefix.' CODEC(Delta(8), ZSTD(1)),
    catalogue      String COMMENT 'Hash of the catalogue in use.' CODEC(ZSTD(1)),
    generation     UInt16 DEFAULT 0 COMMENT 'Generation of the rollups that the row belongs to.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY generation
ORDER BY (generation, source, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'Rows of the table checkpoints, of every generation.';
-- +goose StatementEnd
