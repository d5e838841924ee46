-- +goose NO TRANSACTION
-- +goose Up
-- In one step, so that there always is something of the name. The subquery is evaluated once a query, however many views that reads.
-- +goose StatementBegin
CREATE OR REPLACE VIEW facts
(
    kind       LowCardinality(String) COMMENT 'What the fact is about: workflow, ticket, survey, kpi, meter, goal or release.',
    account_id String COMMENT 'Account that the fact belongs to; empty for releases.',
    entity     String COMMENT 'The workflow, the ticket as source:ticket_id, or the survey_id, kpi, meter, goal_id or version.',
    at         DateTime64(3, 'UTC') COMMENT 'When it happened, in event time.',
    name       LowCardinality(String) COMMENT 'What happened: the step of the workflow, the kind of ticket event or of survey, or reported, defined, deployed.',
    user       UInt64 COMMENT 'Hash of the user who took the step or answered; 0 for none.',
    id         UInt64 COMMENT 'Hash of the id by which duplicates are found.',
    source     LowCardinality(String) COMMENT 'Partition that the event came from: topic/partition@topic id.',
    offset     UInt64 COMMENT 'Its offset in the source.',
    value      Float64 COMMENT 'A number that the fact carries: the score, the value, the target; 0 if none.',
    attributes Map(LowCardinality(String), String) COMMENT 'Further fields of the event, by the names in docs/formats.md, as text. A ticket: from, to, priority, status, channel, tags (joined by commas), requester_id, escalation.'
)
AS SELECT kind, account_id, entity, at, name, user, id, source, offset, value, attributes
FROM facts_all FINAL
WHERE generation = (SELECT argMax(generation, at) FROM generations WHERE state = 'live')
COMMENT 'Single events: steps of workflows, the life of tickets, answers to surveys, KPIs, meters, goals and releases. The views workflow_runs, tickets, sentiment_90d, kpis, meters, goals and releases read it.';
-- +goose StatementEnd
