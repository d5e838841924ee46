-- +goose NO TRANSACTION
-- +goose Up
-- May be repeated: rows merge with their repeats.
-- +goose StatementBegin
INSERT INTO dead_letters_all (source, offset, reason, detail, log_time, key, size)
SELECT source, offset, reason, detail, log_time, key, size FROM dead_letters
SETTINGS max_partitions_per_insert_block = 0;
-- +goose StatementEnd
