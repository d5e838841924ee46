-- +goose NO TRANSACTION
-- +goose Up
-- May be repeated: rows merge with their repeats.
-- +goose StatementBegin
INSERT INTO user_accounts_all (source, user, offset, account_id)
SELECT source, user, offset, account_id FROM user_accounts
SETTINGS max_partitions_per_insert_block = 0;
-- +goose StatementEnd
