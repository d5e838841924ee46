-- +goose NO TRANSACTION
-- +goose Up
-- In one step, so that there always is something of the name. The subquery is evaluated once a query, however many views that reads.
-- +goose StatementBegin
CREATE OR REPLACE VIEW source_progress
(
    source      LowCardinality(String) COMMENT 'Partition: topic/partition@topic id.',
    observed_at DateTime64(3, 'UTC') COMMENT 'When the worker that owns the source wrote the row.',
    position    UInt64 COMMENT 'Next offset to read; everything before it is in ClickHouse.',
    end_offset  UInt64 COMMENT 'End of the partition at that time.',
    watermark   DateTime64(3, 'UTC') COMMENT 'Event time up to which the source is thought complete.',
    instance    String COMMENT 'Name of the worker.'
)
AS SELECT source, observed_at, position, end_offset, watermark, instance
FROM source_progress_all FINAL
WHERE generation = (SELECT argMax(generation, at) FROM generations WHERE state = 'live')
COMMENT 'How far each source is: lag and completeness are read from it.';
-- +goose StatementEnd
