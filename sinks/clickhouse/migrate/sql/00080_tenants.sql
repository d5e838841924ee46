-- +goose NO TRANSACTION
-- +goose Up
-- Row policies read it for every query of a tenant, so that an account is given to one without an administrator of ClickHouse.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS tenants
(
    user     String COMMENT 'User of ClickHouse.' CODEC(ZSTD(1)),
    accounts Array(String) COMMENT 'Accounts that the user sees; none: nothing.' CODEC(ZSTD(1)),
    at       DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the row was written: the latest of a user holds.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(at)
ORDER BY user
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 0
COMMENT 'Users who see some accounts only, and which. tidemark migrate writes it from clickhouse.tenants.';
-- +goose StatementEnd
