-- +goose NO TRANSACTION
-- +goose Up
-- In one step, so that there always is something of the name. The subquery is evaluated once a query, however many views that reads.
-- +goose StatementBegin
CREATE OR REPLACE VIEW checkpoints
(
    source         LowCardinality(String) COMMENT 'Partition: topic/partition@topic id.',
    offset         UInt64 COMMENT 'Next offset to read: the prefix ends before it.',
    received       UInt64 COMMENT 'Records of the prefix. received = applied + duplicate + filtered + dead_lettered.',
    applied        UInt64 COMMENT 'Of those, folded into rows.',
    duplicate      UInt64 COMMENT 'Of those, repeats of a message id.',
    filtered       UInt64 COMMENT 'Of those, records that are valid and that no metric takes.',
    dead_lettered  UInt64 COMMENT 'Of those, records that could not be read.',
    watermark      DateTime64(3, 'UTC') COMMENT 'Event time up to which the prefix is thought complete.',
    max_event_time DateTime64(3, 'UTC') COMMENT 'Highest event time of the prefix.',
    log_time       DateTime64(3, 'UTC') COMMENT 'Kafka timestamp of the last record of the prefix.',
    catalogue      String COMMENT 'Hash of the catalogue in use.'
)
AS SELECT source, offset, received, applied, duplicate, filtered, dead_lettered, watermark, max_event_time, log_time, catalogue
FROM checkpoints_all FINAL
WHERE generation = (SELECT argMax(generation, at) FROM generations WHERE state = 'live')
COMMENT 'Counts of each prefix of a source that was flushed. Any two rows of a source account for the records between them.';
-- +goose StatementEnd
