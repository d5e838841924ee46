-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE MATERIALIZED VIEW IF NOT EXISTS known_by_records TO known_accounts_all
(
    account_id  String COMMENT 'Account.',
    since       DateTime64(3, 'UTC') COMMENT 'The earliest time in the inserted rows.',
    last_record Tuple(valid_from DateTime64(3, 'UTC'), source String, offset UInt64, deleted UInt8) COMMENT 'The last record in them.',
    generation  UInt16 COMMENT 'Generation of the rollups that the rows belong to.'
)
AS SELECT account_id, min(least(valid_from, ifNull(parseDateTime64BestEffortOrNull(attributes['created_at'], 3, 'UTC'), valid_from))) AS since,
    CAST(max((valid_from, toString(source), offset, deleted)), 'Tuple(valid_from DateTime64(3, \'UTC\'), source String, offset UInt64, deleted UInt8)') AS last_record, generation
FROM account_changes_all GROUP BY generation, account_id
COMMENT 'Notes in known_accounts_all the accounts that a record is about. Repeated and superseded inserts change nothing there.'
-- +goose StatementEnd
