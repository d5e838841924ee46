-- +goose NO TRANSACTION
-- +goose Up
-- In one step, so that there always is something of the name. The subquery is evaluated once a query, however many views that reads.
-- +goose StatementBegin
CREATE OR REPLACE VIEW counters
(
    tier           Enum8('minute' = 1, 'hour' = 2, 'day' = 3) COMMENT 'Length of the window.',
    account_id     String COMMENT 'Account that the events belong to.',
    window_start   DateTime('UTC') COMMENT 'Start of the window in event time; it ends before the next one starts.',
    feature        LowCardinality(String) COMMENT 'Feature of the product; empty for the account as a whole.',
    metric         LowCardinality(String) COMMENT 'Name of a count or sum in the catalogue.',
    source         LowCardinality(String) COMMENT 'Partition that the events came from: topic/partition@topic id.',
    value          UInt64 COMMENT 'Absolute value over the source up to applied_offset. It only grows, so the highest version holds.',
    applied_offset UInt64 COMMENT 'Highest offset of the source that is counted in value.'
)
AS SELECT tier, account_id, window_start, feature, metric, source, CAST(value, 'UInt64') AS value, CAST(applied_offset, 'UInt64') AS applied_offset
FROM counters_all
WHERE generation = (SELECT argMax(generation, at) FROM generations WHERE state = 'live')
COMMENT 'Counts and sums per window, one row a source. Read: max(value) per key, then sum over sources. The views do that.';
-- +goose StatementEnd
