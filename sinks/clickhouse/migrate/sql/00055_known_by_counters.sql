-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE MATERIALIZED VIEW IF NOT EXISTS known_by_counters TO known_accounts_all
(
    account_id  String COMMENT 'Account.',
    since       DateTime64(3, 'UTC') COMMENT 'The earliest time in the inserted rows.',
    last_record Tuple(valid_from DateTime64(3, 'UTC'), source String, offset UInt64, deleted UInt8) COMMENT 'The last record in them.',
    generation  UInt16 COMMENT 'Generation of the rollups that the rows belong to.'
)
AS SELECT account_id, toDateTime64(min(window_start), 3, 'UTC') AS since,
    CAST((toDateTime64('1900-01-01 00:00:00', 3, 'UTC'), '', 0, 0), 'Tuple(valid_from DateTime64(3, \'UTC\'), source String, offset UInt64, deleted UInt8)') AS last_record, generation
FROM counters_all WHERE tier = 'day' GROUP BY generation, account_id
COMMENT 'Notes in known_accounts_all the accounts that did something. Repeated and superseded inserts change nothing there.'
-- +goose StatementEnd
