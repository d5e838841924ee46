-- +goose NO TRANSACTION
-- +goose Up
-- May be repeated: rows merge with their repeats.
-- +goose StatementBegin
INSERT INTO account_changes_all (account_id, valid_from, source, offset, deleted, attributes)
SELECT account_id, valid_from, source, offset, deleted, attributes FROM account_changes
SETTINGS max_partitions_per_insert_block = 0;
-- +goose StatementEnd
