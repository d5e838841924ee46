-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE OR REPLACE VIEW known_accounts
(
    account_id String COMMENT 'Account.',
    since      DateTime64(3, 'UTC') COMMENT 'The earliest of its creation, its first record, its first day with events and its first ticket event.',
    until      Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was removed; NULL if its last record does not say so.'
)
AS SELECT account_id, CAST(min(k.since) AS DateTime64(3, 'UTC')) AS since,
    if(tupleElement(max(k.last_record), 'deleted') = 1, tupleElement(max(k.last_record), 'valid_from'), NULL) AS until
FROM known_accounts_all AS k
WHERE generation = (SELECT argMax(generation, at) FROM generations WHERE state = 'live')
GROUP BY account_id
COMMENT 'Every account that was heard of, also those whose rows have expired since.'
-- +goose StatementEnd
