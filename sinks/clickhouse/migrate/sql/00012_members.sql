-- +goose NO TRANSACTION
-- +goose Up
-- In one step, so that there always is something called members.
-- +goose StatementBegin
CREATE OR REPLACE VIEW members
(
    tier         Enum8('minute' = 1, 'hour' = 2, 'day' = 3) COMMENT 'Length of the window.',
    account_id   String COMMENT 'Account that the events belong to.',
    window_start DateTime('UTC') COMMENT 'Start of the window in event time; it ends before the next one starts.',
    feature      LowCardinality(String) COMMENT 'Feature of the product; empty for the account as a whole.',
    metric       LowCardinality(String) COMMENT 'Name of a distinct count in the catalogue.',
    member       UInt64 COMMENT 'Hash of a user that was seen: xxhash64 of u: and the user id, or of a: and the anonymous id.',
    source       LowCardinality(String) COMMENT 'Partition that the events came from: topic/partition@topic id.'
)
AS SELECT tier, account_id, window_start, feature, metric, arrayJoin(members) AS member, source FROM member_sets
COMMENT 'Users in sets, from member_sets. Read: uniqExact(member) over any windows, segments and sources; repeats change nothing.';
-- +goose StatementEnd
