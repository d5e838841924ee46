-- +goose NO TRANSACTION
-- +goose Up
-- May be repeated: rows merge with their repeats.
-- +goose StatementBegin
INSERT INTO checkpoints_all (source, offset, received, applied, duplicate, filtered, dead_lettered, watermark, max_event_time, log_time, catalogue)
SELECT source, offset, received, applied, duplicate, filtered, dead_lettered, watermark, max_event_time, log_time, catalogue FROM checkpoints
SETTINGS max_partitions_per_insert_block = 0;
-- +goose StatementEnd
