-- +goose NO TRANSACTION
-- +goose Up
-- +goose StatementBegin
ALTER TABLE facts_all
    COMMENT COLUMN kind 'What the fact is about: workflow, ticket, survey, kpi, meter, goal or release.',
    COMMENT COLUMN account_id 'Account that the fact belongs to; empty for releases.',
    COMMENT COLUMN entity 'The workflow, the ticket as source:ticket_id, or the survey_id, kpi, meter, goal_id or version.',
    COMMENT COLUMN name 'What happened: the step of the workflow, the kind of ticket event or of survey, or reported, defined, deployed.',
    COMMENT COLUMN user 'Hash of the user who took the step or answered; 0 for none.',
    COMMENT COLUMN value 'A number that the fact carries: the score, the value, the target; 0 if none.',
    COMMENT COLUMN attributes 'Further fields of the event, by the names in docs/formats.md, as text. A ticket: from, to, priority, status, channel, tags (joined by commas), requester_id, escalation.'
-- +goose StatementEnd
