-- +goose NO TRANSACTION
-- +goose Up
-- Rollups computed from the start of the log, one generation beside another. The last row that says live tells which one is read.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS generations
(
    generation UInt16 COMMENT 'Number of the generation. Its consumer group is the configured one, from 1 on with -g and the number.' CODEC(ZSTD(1)),
    state      Enum8('building' = 1, 'live' = 2, 'dropped' = 3) COMMENT 'What the generation became at that time. One that was live is kept until it is dropped.' CODEC(ZSTD(1)),
    catalogue  String COMMENT 'Hash of the catalogue that it was computed with; empty if unknown.' CODEC(ZSTD(1)),
    at         DateTime64(3, 'UTC') COMMENT 'When it became so.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (at, generation, state)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'Generations of the rollups and what became of them, a row a change. Tables whose names end in _all have the rows of every generation; the names without it show the live one.';
-- +goose StatementEnd
