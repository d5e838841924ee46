-- +goose NO TRANSACTION
-- +goose Up
-- In one step, so that there always is something of the name. The subquery is evaluated once a query, however many views that reads.
-- +goose StatementBegin
CREATE OR REPLACE VIEW member_sets
(
    tier         Enum8('minute' = 1, 'hour' = 2, 'day' = 3) COMMENT 'Length of the window.',
    account_id   String COMMENT 'Account that the events belong to.',
    window_start DateTime('UTC') COMMENT 'Start of the window in event time; it ends before the next one starts.',
    feature      LowCardinality(String) COMMENT 'Feature of the product; empty for the account as a whole.',
    metric       LowCardinality(String) COMMENT 'Name of a distinct count in the catalogue.',
    members      Array(UInt64) COMMENT 'Hashes of users that were seen: xxhash64 of u: and the user id, or of a: and the anonymous id.',
    source       LowCardinality(String) COMMENT 'Partition that the events came from: topic/partition@topic id.'
)
AS SELECT tier, account_id, window_start, feature, metric, CAST(members, 'Array(UInt64)') AS members, source
FROM member_sets_all
WHERE generation = (SELECT argMax(generation, at) FROM generations WHERE state = 'live')
COMMENT 'Sets of users per window. The view members has them one by one.';
-- +goose StatementEnd
