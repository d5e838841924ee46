-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS dead_letters_all
(
    source     LowCardinality(String) COMMENT 'Partition: topic/partition@topic id.' CODEC(ZSTD(1)),
    offset     UInt64 COMMENT 'Offset of the record in the source.' CODEC(Delta(8), ZSTD(1)),
    reason     LowCardinality(String) COMMENT 'Reason code, such as malformed, no_account or too_old.' CODEC(ZSTD(1)),
    detail     String COMMENT 'What exactly was wrong.' CODEC(ZSTD(3)),
    log_time   DateTime64(3, 'UTC') COMMENT 'Kafka timestamp of the record.' CODEC(Delta(8), ZSTD(1)),
    key        String COMMENT 'Key of the record.' CODEC(ZSTD(1)),
    size       UInt32 COMMENT 'Bytes of its value; the value itself is in the dead-letter topic.' CODEC(ZSTD(1)),
    generation UInt16 DEFAULT 0 COMMENT 'Generation of the rollups that the row belongs to.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY generation
ORDER BY (generation, source, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'Rows of the table dead_letters, of every generation.';
-- +goose StatementEnd
