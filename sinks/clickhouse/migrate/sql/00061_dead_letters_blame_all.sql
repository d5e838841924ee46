-- +goose NO TRANSACTION
-- +goose Up
-- Who sent what cannot be counted, and which field is wrong: so that a producer whose schema drifts can be named at once.
-- +goose StatementBegin
ALTER TABLE dead_letters_all
    ADD COLUMN IF NOT EXISTS field LowCardinality(String) COMMENT 'Field that is wrong; empty = none in particular.' CODEC(ZSTD(1)) AFTER size,
    ADD COLUMN IF NOT EXISTS producer LowCardinality(String) COMMENT 'Library, source or app that the record names as its maker; empty = it names none.' CODEC(ZSTD(1)) AFTER field;
-- +goose StatementEnd
