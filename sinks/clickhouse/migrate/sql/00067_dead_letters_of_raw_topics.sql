-- +goose NO TRANSACTION
-- +goose Up
-- With the dead letters of raw topics, which belong to no generation of the rollups: those have the number 65535.
-- +goose StatementBegin
CREATE OR REPLACE VIEW dead_letters
(
    source   LowCardinality(String) COMMENT 'Partition: topic/partition@topic id.',
    offset   UInt64 COMMENT 'Offset of the record in the source.',
    reason   LowCardinality(String) COMMENT 'Reason code, such as malformed, no_account or too_old.',
    detail   String COMMENT 'What exactly was wrong.',
    log_time DateTime64(3, 'UTC') COMMENT 'Kafka timestamp of the record.',
    key      String COMMENT 'Key of the record.',
    size     UInt32 COMMENT 'Bytes of its value; the value itself is in the dead-letter topic.',
    field    LowCardinality(String) COMMENT 'Field that is wrong; empty = none in particular.',
    producer LowCardinality(String) COMMENT 'Library, source or app that the record names as its maker; empty = it names none.'
)
AS SELECT source, offset, reason, detail, log_time, key, size, field, producer
FROM dead_letters_all FINAL
WHERE generation IN ((SELECT argMax(generation, at) FROM generations WHERE state = 'live'), 65535)
COMMENT 'Records that could not be counted, and why.';
-- +goose StatementEnd
