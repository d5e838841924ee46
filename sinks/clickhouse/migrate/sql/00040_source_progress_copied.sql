-- +goose NO TRANSACTION
-- +goose Up
-- May be repeated: rows merge with their repeats.
-- +goose StatementBegin
INSERT INTO source_progress_all (source, observed_at, position, end_offset, watermark, instance)
SELECT source, observed_at, position, end_offset, watermark, instance FROM source_progress
SETTINGS max_partitions_per_insert_block = 0;
-- +goose StatementEnd
