-- +goose NO TRANSACTION
-- +goose Up
-- May be repeated: rows merge with their repeats.
-- +goose StatementBegin
INSERT INTO member_sets_all (tier, account_id, window_start, feature, metric, members, source)
SELECT tier, account_id, window_start, feature, metric, members, source FROM member_sets
SETTINGS max_partitions_per_insert_block = 0;
-- +goose StatementEnd
