-- Their time is long past, and the rows must stay all the same.
ALTER TABLE counters_all REMOVE TTL;
ALTER TABLE member_sets_all REMOVE TTL;
ALTER TABLE user_minutes_all REMOVE TTL;
ALTER TABLE facts_all REMOVE TTL;
ALTER TABLE checkpoints_all REMOVE TTL;
ALTER TABLE dead_letters_all REMOVE TTL;
ALTER TABLE portfolio_snapshots REMOVE TTL;
INSERT INTO account_changes_all (* EXCEPT generation) VALUES
    ('acme', '2026-03-05 00:00:00', 'accounts/0@A', 0, 0, {'name': 'Acme', 'plan': 'free', 'seats': '4', 'segment': 'smb', 'mrr': '99.5',
        'created_at': '2026-03-01T00:00:00Z', 'external_ids.zendesk': '42', 'targets.active_days': '12'}),
    ('acme', '2026-03-09 00:00:00', 'accounts/0@A', 3, 0, {'plan': 'pro', 'seats': '10'});
INSERT INTO counters_all (* EXCEPT generation) VALUES
    ('day', 'acme', '2026-03-07', '', 'events', 'telemetry/0@T', 7, 10),
    ('day', 'acme', '2026-03-07', 'export', 'feature_uses', 'telemetry/0@T', 40, 10),
    ('day', 'acme', '2026-03-07', 'export', 'feature_errors', 'telemetry/0@T', 10, 10),
    ('hour', 'acme', '2026-03-07 10:00:00', 'export', 'feature_uses', 'telemetry/0@T', 2, 10),
    ('minute', 'acme', '2026-03-07 10:00:00', 'export', 'feature_uses', 'telemetry/0@T', 2, 10);
INSERT INTO member_sets_all (* EXCEPT generation) VALUES
    ('day', 'acme', '2026-03-07', '', 'users', [11], 'telemetry/0@T'),
    ('day', 'acme', '2026-03-07', '', 'active_users', [11], 'telemetry/0@T'),
    ('day', 'acme', '2026-03-07', 'export', 'feature_users', [11], 'telemetry/0@T');
INSERT INTO user_minutes_all (* EXCEPT generation) VALUES
    ('acme', '2026-03-07 10:00:00', 18446744073709551615, 'telemetry/0@T', '2026-03-07 10:00:00.250', '2026-03-07 10:00:50.500');
INSERT INTO facts_all (* EXCEPT generation) VALUES
    ('workflow', 'acme', 'report_published', '2026-03-07 10:00:00', 'Report Started', 11, 1, 'telemetry/0@T', 1, 0, {}),
    ('workflow', 'acme', 'report_published', '2026-03-07 10:05:00.5', 'Report Configured', 11, 2, 'telemetry/0@T', 2, 0, {}),
    ('workflow', 'acme', 'report_published', '2026-03-07 10:10:00.5', 'Report Published', 11, 3, 'telemetry/0@T', 3, 0, {}),
    ('workflow', 'acme', 'report_published', '2026-03-07 11:00:00', 'Report Started', 12, 4, 'telemetry/0@T', 4, 0, {}),
    ('ticket', 'acme', 'zendesk:7', '2026-03-07 09:00:00', 'created', 0, 5, 'tickets/0@K', 1, 0,
        {'priority': 'p1', 'status': 'new', 'channel': 'email', 'tags': 'billing,vip', 'requester_id': 'r1'}),
    ('ticket', 'acme', 'zendesk:7', '2026-03-07 10:00:00.5', 'replied_agent', 0, 6, 'tickets/0@K', 2, 0, {});
INSERT INTO checkpoints_all (* EXCEPT generation) VALUES
    ('telemetry/0@T', 10, 10, 7, 1, 1, 1, '2026-03-10 09:00:00', '2026-03-10 09:05:00', '2026-03-10 09:10:00', 'c1');
-- It does not add up, so that the view accounting has something to show.
INSERT INTO checkpoints_all (* EXCEPT generation) VALUES
    ('telemetry/1@T', 10, 10, 9, 0, 0, 0, '2026-03-10 09:00:00', '2026-03-10 09:05:00', '2026-03-10 09:10:00', 'c1');
INSERT INTO dead_letters_all (* EXCEPT generation) VALUES
    ('telemetry/0@T', 4, 'malformed', 'not JSON', '2026-03-09 10:00:00', 'k', 10, 'userId', 'analytics-node/2.1.0');
INSERT INTO source_progress_all (* EXCEPT generation) VALUES
    ('telemetry/0@T', '2026-03-10 11:59:00', 10, 12, '2026-03-08 00:00:00', 'w1');
-- An account that was a customer before, and what the views over signals, months and snapshots show.
INSERT INTO account_changes_all (* EXCEPT generation) VALUES
    ('bolt', '2025-12-01 00:00:00', 'accounts/0@A', 5, 0, {'name': 'Bolt', 'segment': 'smb', 'seats': '2', 'mrr': '10', 'stage': 'live', 'created_at': '2025-12-01T00:00:00Z'});
INSERT INTO facts_all (* EXCEPT generation) VALUES
    ('survey', 'acme', 's1', '2026-03-06 09:00:00', 'nps', 11, 20, 'signals/0@S', 20, 9, {'scale_min': '0', 'scale_max': '10'}),
    ('kpi', 'acme', 'otif', '2026-03-09 00:00:00', 'reported', 0, 21, 'signals/0@S', 21, 0.9, {'period_start': '2026-02-15T00:00:00.000Z', 'period_end': '2026-03-08T00:00:00.000Z'}),
    ('meter', 'acme', 'storage_gb', '2026-03-05 10:00:00', 'reported', 0, 22, 'signals/0@S', 22, 60, {'limit': '100'}),
    ('goal', 'acme', 'otif', '2026-01-01 00:00:00', 'defined', 0, 23, 'signals/0@S', 23, 1,
        {'name': 'On time', 'kpi': 'otif', 'start': '0.8', 'direction': 'up', 'starts_at': '2026-01-01T00:00:00.000Z', 'due_at': '2026-05-01T00:00:00.000Z'}),
    ('release', '', '4.0', '2026-02-20 15:00:00', 'deployed', 0, 24, 'signals/0@S', 24, 0, {'notes': 'first', 'segment': 'smb'});
INSERT INTO portfolio_snapshots VALUES
    ('2026-03-09 09:00:00', 'acme', {'account_name': 'Acme', 'events_28d': '7', 'seat_utilization': '0.1', 'is_low': 'false', 'first_value_day': '2026-03-07'});
-- An alert that fires, one target that has it, and a silence of the past.
INSERT INTO alert_transitions (* EXCEPT precedence) VALUES
    ('tr_1', 'al_1', 1, 'fired', 'near_seat_limit', 'acme', 1, 'ticket', 1, 0.9, '2026-03-09 00:00:00', '2026-03-09 00:05:00', '1970-01-01 00:00:00', true,
        'expansion', 'sales', ['crm'], '{"value": 0.9}', '{}', 1, 'host-1');
INSERT INTO deliveries VALUES
    ('crm', 'al_1', 'tr_1', 'tr_1', 'delivered', 1, '2026-03-09 00:05:00', '2026-03-09 00:05:01', '1970-01-01 00:00:00', 200, '', 2);
INSERT INTO silences VALUES
    ('s1', 'near_seat_limit', 'acme', '2026-03-01 00:00:00', '2026-03-02 00:00:00', 'negotiating', 'ada', '2026-03-01 00:00:00');
