-- +goose NO TRANSACTION
-- +goose Up
-- May be repeated: rows merge with their repeats.
-- +goose StatementBegin
INSERT INTO user_minutes_all (account_id, minute, user, source, first, last)
SELECT account_id, minute, user, source, first, last FROM user_minutes
SETTINGS max_partitions_per_insert_block = 0;
-- +goose StatementEnd
