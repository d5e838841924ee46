-- +goose NO TRANSACTION
-- +goose Up
-- May be repeated: rows merge with their repeats.
-- +goose StatementBegin
INSERT INTO facts_all (kind, account_id, entity, at, name, user, id, source, offset, value, attributes)
SELECT kind, account_id, entity, at, name, user, id, source, offset, value, attributes FROM facts
SETTINGS max_partitions_per_insert_block = 0;
-- +goose StatementEnd
