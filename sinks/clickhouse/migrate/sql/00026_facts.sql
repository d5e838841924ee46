-- +goose NO TRANSACTION
-- +goose Up
-- In one step, so that there always is something of the name. The subquery is evaluated once a query, however many views that reads.
-- +goose StatementBegin
CREATE OR REPLACE VIEW facts
(
    kind       LowCardinality(String) COMMENT 'What the fact is about: workflow or ticket.',
    account_id String COMMENT 'Account that the fact belongs to.',
    entity     String COMMENT 'The workflow, or the ticket as source:ticket_id.',
    at         DateTime64(3, 'UTC') COMMENT 'When it happened, in event time.',
    name       LowCardinality(String) COMMENT 'What happened: the step of the workflow, or the kind of ticket event.',
    user       UInt64 COMMENT 'Hash of the user who took the step; 0 for tickets.',
    id         UInt64 COMMENT 'Hash of the id by which duplicates are found.',
    source     LowCardinality(String) COMMENT 'Partition that the event came from: topic/partition@topic id.',
    offset     UInt64 COMMENT 'Its offset in the source.',
    value      Float64 COMMENT 'A number that the fact carries; 0 if none.',
    attributes Map(LowCardinality(String), String) COMMENT 'Further fields of the event. A ticket: from, to, priority, status, channel, tags (joined by commas), requester_id, escalation.'
)
AS SELECT kind, account_id, entity, at, name, user, id, source, offset, value, attributes
FROM facts_all FINAL
WHERE generation = (SELECT argMax(generation, at) FROM generations WHERE state = 'live')
COMMENT 'Single events that must be read in order: steps of workflows, the life of tickets. The views workflow_runs and tickets read it.';
-- +goose StatementEnd
