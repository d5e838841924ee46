-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS source_progress_all
(
    source      LowCardinality(String) COMMENT 'Partition: topic/partition@topic id.' CODEC(ZSTD(1)),
    observed_at DateTime64(3, 'UTC') COMMENT 'When the worker that owns the source wrote the row.' CODEC(ZSTD(1)),
    position    UInt64 COMMENT 'Next offset to read; everything before it is in ClickHouse.' CODEC(ZSTD(1)),
    end_offset  UInt64 COMMENT 'End of the partition at that time.' CODEC(ZSTD(1)),
    watermark   DateTime64(3, 'UTC') COMMENT 'Event time up to which the source is thought complete.' CODEC(ZSTD(1)),
    instance    String COMMENT 'Name of the worker.' CODEC(ZSTD(1)),
    generation  UInt16 DEFAULT 0 COMMENT 'Generation of the rollups that the row belongs to.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(observed_at)
PARTITION BY generation
ORDER BY (generation, source)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'Rows of the table source_progress, of every generation.';
-- +goose StatementEnd
