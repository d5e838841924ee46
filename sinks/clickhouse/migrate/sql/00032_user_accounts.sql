-- +goose NO TRANSACTION
-- +goose Up
-- In one step, so that there always is something of the name. The subquery is evaluated once a query, however many views that reads.
-- +goose StatementBegin
CREATE OR REPLACE VIEW user_accounts
(
    source     LowCardinality(String) COMMENT 'Partition that said so: topic/partition@topic id.',
    user       UInt64 COMMENT 'Hash of the user: xxhash64 of u: and the user id, or of a: and the anonymous id.',
    offset     UInt64 COMMENT 'Offset of the call that named the account.',
    account_id String COMMENT 'Account of the user from that offset on.'
)
AS SELECT source, user, offset, account_id
FROM user_accounts_all FINAL
WHERE generation = (SELECT argMax(generation, at) FROM generations WHERE state = 'live')
COMMENT 'Which account a user belongs to, from group and identify calls of the same source. A source that is taken over is warmed from it.';
-- +goose StatementEnd
