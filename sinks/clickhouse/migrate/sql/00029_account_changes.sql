-- +goose NO TRANSACTION
-- +goose Up
-- In one step, so that there always is something of the name. The subquery is evaluated once a query, however many views that reads.
-- +goose StatementBegin
CREATE OR REPLACE VIEW account_changes
(
    account_id String COMMENT 'Account that changed.',
    valid_from DateTime64(3, 'UTC') COMMENT 'From when the change holds.',
    source     LowCardinality(String) COMMENT 'Partition that the record came from: topic/partition@topic id.',
    offset     UInt64 COMMENT 'Its offset in the source.',
    deleted    UInt8 COMMENT '1 if the account was removed.',
    attributes Map(LowCardinality(String), String) COMMENT 'The attributes that the record names, as text; the others keep their values. Nested ones are flattened: external_ids.zendesk, targets.active_days.'
)
AS SELECT account_id, valid_from, source, offset, deleted, attributes
FROM account_changes_all FINAL
WHERE generation = (SELECT argMax(generation, at) FROM generations WHERE state = 'live')
COMMENT 'History of the accounts as patches. The views accounts and account_history put them together.';
-- +goose StatementEnd
