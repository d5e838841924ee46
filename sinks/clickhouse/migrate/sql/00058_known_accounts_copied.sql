-- +goose NO TRANSACTION
-- +goose Up
-- After the materialized views, so that nothing is missed in between. May be repeated: rows merge with their repeats.
-- +goose StatementBegin
INSERT INTO known_accounts_all (account_id, since, last_record, generation)
SELECT account_id, toDateTime64(min(window_start), 3, 'UTC') AS since,
    CAST((toDateTime64('1900-01-01 00:00:00', 3, 'UTC'), '', 0, 0), 'Tuple(valid_from DateTime64(3, \'UTC\'), source String, offset UInt64, deleted UInt8)') AS last_record, generation
FROM counters_all WHERE tier = 'day' GROUP BY generation, account_id
UNION ALL
SELECT account_id, min(least(valid_from, ifNull(parseDateTime64BestEffortOrNull(attributes['created_at'], 3, 'UTC'), valid_from))) AS since,
    CAST(max((valid_from, toString(source), offset, deleted)), 'Tuple(valid_from DateTime64(3, \'UTC\'), source String, offset UInt64, deleted UInt8)') AS last_record, generation
FROM account_changes_all GROUP BY generation, account_id
UNION ALL
SELECT account_id, min(at) AS since,
    CAST((toDateTime64('1900-01-01 00:00:00', 3, 'UTC'), '', 0, 0), 'Tuple(valid_from DateTime64(3, \'UTC\'), source String, offset UInt64, deleted UInt8)') AS last_record, generation
FROM facts_all WHERE kind = 'ticket' GROUP BY generation, account_id
-- +goose StatementEnd
