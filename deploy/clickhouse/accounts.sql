-- Made by go test ./deploy -update from sinks/clickhouse/migrate/grants.sql. The passwords are the accounts' names: for one host only.

CREATE DATABASE IF NOT EXISTS tidemark;

-- Makes and alters the tables and views: tidemark migrate.
CREATE USER IF NOT EXISTS migrator IDENTIFIED WITH sha256_password BY 'migrator' DEFAULT DATABASE tidemark;
GRANT CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, ALTER TABLE, ALTER VIEW, TRUNCATE, OPTIMIZE, SELECT, INSERT ON tidemark.* TO migrator;
-- Servers with table_engines_require_grant ask for these as well; without it they do no harm.
GRANT TABLE ENGINE ON MergeTree TO migrator;
GRANT TABLE ENGINE ON ReplacingMergeTree TO migrator;
GRANT TABLE ENGINE ON AggregatingMergeTree TO migrator;

-- Inserts rows, and reads them back before it amends them: tidemark run.
CREATE USER IF NOT EXISTS writer IDENTIFIED WITH sha256_password BY 'writer' DEFAULT DATABASE tidemark;
GRANT SELECT, INSERT ON tidemark.* TO writer;

-- Reads the views: dashboards, BI tools. readonly = 2 lets a client set limits of its own, and change no data.
CREATE SETTINGS PROFILE IF NOT EXISTS reader SETTINGS readonly = 2;
CREATE USER IF NOT EXISTS reader IDENTIFIED WITH sha256_password BY 'reader' DEFAULT DATABASE tidemark SETTINGS PROFILE reader;
GRANT SELECT ON tidemark.* TO reader;

-- Deletes rows of accounts and users, and overwrites columns that name them: tidemark forget, and nobody else. It inserts nothing.
CREATE USER IF NOT EXISTS eraser IDENTIFIED WITH sha256_password BY 'eraser' DEFAULT DATABASE tidemark;
GRANT SELECT, ALTER DELETE, ALTER UPDATE ON tidemark.* TO eraser;

-- tidemark check looks at the settings of the tables.
GRANT SELECT ON system.merge_tree_settings TO migrator, writer;

-- tidemark doctor and tidemark top look at parts, merges, disks and errors.
GRANT SELECT ON system.parts, SELECT ON system.merge_tree_settings, SELECT ON system.merges, SELECT ON system.mutations, SELECT ON system.disks, SELECT ON system.replicas, SELECT ON system.metrics, SELECT ON system.errors TO reader;
