-- +goose NO TRANSACTION
-- +goose Up
-- May be repeated: the row is always the same.
-- +goose StatementBegin
INSERT INTO generations (generation, state, catalogue, at) VALUES (0, 'live', '', toDateTime64(0, 3, 'UTC'));
-- +goose StatementEnd
