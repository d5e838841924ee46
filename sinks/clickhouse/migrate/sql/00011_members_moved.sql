-- +goose NO TRANSACTION
-- +goose Up
-- May be repeated: sets merge to their union.
-- +goose StatementBegin
INSERT INTO member_sets (tier, account_id, window_start, feature, metric, members, source)
SELECT tier, account_id, window_start, feature, metric, [member], source FROM members;
-- +goose StatementEnd
