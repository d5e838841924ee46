-- +goose NO TRANSACTION
-- +goose Up
-- In one step, so that there always is something of the name. The subquery is evaluated once a query, however many views that reads.
-- +goose StatementBegin
CREATE OR REPLACE VIEW user_minutes
(
    account_id String COMMENT 'Account that the events belong to.',
    minute     DateTime('UTC') COMMENT 'Minute in event time.',
    user       UInt64 COMMENT 'Hash of the user: xxhash64 of u: and the user id, or of a: and the anonymous id.',
    source     LowCardinality(String) COMMENT 'Partition that the events came from: topic/partition@topic id.',
    first      DateTime64(3, 'UTC') COMMENT 'First event of the user in the minute.',
    last       DateTime64(3, 'UTC') COMMENT 'Last event of the user in the minute.'
)
AS SELECT account_id, minute, user, source, CAST(first, 'DateTime64(3, \'UTC\')') AS first, CAST(last, 'DateTime64(3, \'UTC\')') AS last
FROM user_minutes_all
WHERE generation = (SELECT argMax(generation, at) FROM generations WHERE state = 'live')
COMMENT 'Minutes in which a user did something: sessions and active time are read from it. Read: min(first), max(last) per account, user and minute.';
-- +goose StatementEnd
