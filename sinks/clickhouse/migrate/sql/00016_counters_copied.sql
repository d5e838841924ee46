-- +goose NO TRANSACTION
-- +goose Up
-- May be repeated: rows merge with their repeats.
-- +goose StatementBegin
INSERT INTO counters_all (tier, account_id, window_start, feature, metric, source, value, applied_offset)
SELECT tier, account_id, window_start, feature, metric, source, value, applied_offset FROM counters
SETTINGS max_partitions_per_insert_block = 0;
-- +goose StatementEnd
