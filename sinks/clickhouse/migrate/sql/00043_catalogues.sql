-- +goose NO TRANSACTION
-- +goose Up
-- Catalogues that tidemark migrate made the views of, the last one being that of the views as they are.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS catalogues
(
    at         DateTime64(3, 'UTC') COMMENT 'When the views were made of it.' CODEC(ZSTD(1)),
    catalogue  String COMMENT 'Hash of what the pipeline folds by, as in checkpoints.' CODEC(ZSTD(1)),
    everything String COMMENT 'Hash of all that is declared.' CODEC(ZSTD(1)),
    declared   String COMMENT 'The whole catalogue, built-in parts included, as YAML.' CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
ORDER BY (at, everything)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'Versions of the catalogue: a row each time tidemark migrate made the views of another one.'
-- +goose StatementEnd
