-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS facts_all
(
    kind       LowCardinality(String) COMMENT 'What the fact is about: workflow or ticket.' CODEC(ZSTD(1)),
    account_id String COMMENT 'Account that the fact belongs to.' CODEC(ZSTD(1)),
    entity     String COMMENT 'The workflow, or the ticket as source:ticket_id.' CODEC(ZSTD(1)),
    at         DateTime64(3, 'UTC') COMMENT 'When it happened, in event time.' CODEC(Delta(8), ZSTD(1)),
    name       LowCardinality(String) COMMENT 'What happened: the step of the workflow, or the kind of ticket event.' CODEC(ZSTD(1)),
    user       UInt64 COMMENT 'Hash of the user who took the step; 0 for tickets.' CODEC(ZSTD(1)),
    id         UInt64 COMMENT 'Hash of the id by which duplicates are found.' CODEC(NONE),
    source     LowCardinality(String) COMMENT 'Partition that the event came from: topic/partition@topic id.' CODEC(ZSTD(1)),
    offset     UInt64 COMMENT 'Its offset in the source.' CODEC(Delta(8), ZSTD(1)),
    value      Float64 COMMENT 'A number that the fact carries; 0 if none.' CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) COMMENT 'Further fields of the event. A ticket: from, to, priority, status, channel, tags (joined by commas), requester_id, escalation.' CODEC(ZSTD(3)),
    generation UInt16 DEFAULT 0 COMMENT 'Generation of the rollups that the row belongs to.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(offset)
PARTITION BY (generation, kind, toYYYYMM(at))
ORDER BY (generation, kind, account_id, entity, at, name, user, id, source)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0, ttl_only_drop_parts = 1
COMMENT 'Rows of the table facts, of every generation.';
-- +goose StatementEnd
