CREATE OR REPLACE VIEW lead_protection.error_codes AS
SELECT
    e.sqlstate,
    e.name,
    e.category,
    c.http_status,
    c.retryable
FROM (
    VALUES
    ('LP001', 'argument_missing', 'invalid'),
    ('LP002', 'lead_not_found', 'not_found'),
    ('LP003', 'lead_of_another_user', 'conflict'),
    ('LP004', 'reason_invalid', 'invalid'),
    ('LP005', 'instant_out_of_range', 'invalid'),
    ('LP006', 'end_before_start', 'invalid'),
    ('LP007', 'open_hold_in_future', 'invalid'),
    ('LP008', 'protection_expired', 'conflict'),
    ('LP009', 'lead_closed', 'conflict'),
    ('LP010', 'instant_in_future', 'invalid'),
    ('LP011', 'terms_frozen', 'forbidden'),
    ('LP012', 'change_refused', 'forbidden'),
    ('LP013', 'drill_instant_invalid', 'invalid'),
    ('LP014', 'pg_cron_missing', 'conflict'),
    ('LP015', 'jobs_scheduled_elsewhere', 'conflict'),
    ('LP016', 'job_argument_invalid', 'invalid'),
    ('LP017', 'policy_missing', 'conflict'),
    ('LP018', 'policy_terms_invalid', 'invalid'),
    ('LP019', 'policy_not_found', 'not_found'),
    ('LP020', 'key_used_before', 'conflict'),
    ('LP021', 'activity_kind_unknown', 'invalid'),
    ('LP022', 'activity_not_found', 'not_found'),
    ('LP023', 'extension_too_short', 'invalid'),
    ('LP024', 'extension_limit_passed', 'conflict'),
    ('LP025', 'start_moved_forward', 'invalid'),
    ('LP026', 'start_in_earlier_protection', 'conflict'),
    ('LP027', 'outcome_unknown', 'invalid'),
    ('LP028', 'lead_deleted', 'conflict'),
    ('LP029', 'weeks_invalid', 'invalid'),
    ('LP030', 'reason_code_unknown', 'invalid'),
    ('LP031', 'reason_stops_no_clock', 'invalid'),
    ('LP032', 'hold_limit_passed', 'conflict'),
    ('LP033', 'hold_not_found', 'not_found'),
    ('LP034', 'hold_void', 'conflict'),
    ('LP035', 'hold_changed_meanwhile', 'conflict'),
    ('LP036', 'hold_overlaps', 'conflict'),
    ('LP037', 'leads_or_user_wanted', 'invalid'),
    ('LP038', 'consumer_not_found', 'not_found'),
    ('LP039', 'event_type_unknown', 'invalid'),
    ('LP040', 'event_writer_at_work', 'retry'),
    ('LP041', 'consumer_terms_invalid', 'invalid'),
    ('LP042', 'claim_invalid', 'invalid'),
    ('LP043', 'reminder_settings_invalid', 'invalid'),
    ('LP044', 'reminder_not_found', 'not_found'),
    ('LP045', 'source_not_adoptable', 'invalid'),
    ('LP046', 'lead_number_taken', 'conflict'),
    ('LP048', 'adopted_otherwise', 'conflict'),
    ('LP049', 'row_incomplete', 'invalid'),
    ('LP050', 'source_locked', 'retry'),
    ('LP051', 'adoption_not_found', 'not_found'),
    ('LP053', 'triggers_of_another_owner', 'forbidden'),
    ('LP054', 'source_unreadable', 'conflict'),
    ('LP055', 'source_kind_unknown', 'invalid'),
    ('LP060', 'pause_reason_invalid', 'invalid'),
    ('LP061', 'question_invalid', 'invalid'),
    ('LP062', 'language_unknown', 'invalid'),
    ('LP063', 'delivery_report_invalid', 'invalid'),
    ('LP064', 'lead_is_free', 'conflict'),
    ('LP065', 'number_of_adopted_table', 'conflict'),
    ('LP066', 'row_not_followed', 'conflict'),
    ('LP067', 'row_not_waiting', 'not_found'),
    ('LP068', 'caller_not_owner', 'forbidden'),
    ('LP074', 'policy_not_ones_own', 'forbidden'),
    ('LP075', 'lead_number_given', 'conflict'),
    ('LP076', 'closing_not_found', 'not_found'),
    ('LP077', 'format_unknown', 'invalid'),
    ('LP080', 'database_not_for_drills', 'forbidden'),
    ('LP081', 'approved_by_oneself', 'forbidden'),
    ('LP082', 'job_not_found', 'not_found'),
    ('LP083', 'cron_right_missing', 'forbidden'),
    ('LP090', 'calendar_invalid', 'invalid'),
    ('LP091', 'calendar_days_invalid', 'invalid'),
    ('LP092', 'calendar_not_found', 'not_found'),
    ('LP105', 'warnings_invalid', 'invalid'),
    ('LP106', 'warning_given_twice', 'invalid'),
    ('LP107', 'warning_too_early', 'invalid'),
    ('LP115', 'seal_not_found', 'not_found'),
    ('LP130', 'node_not_answering', 'retry'),
    ('LP131', 'nodes_disagree', 'conflict'),
    ('LP132', 'not_on_a_router', 'invalid'),
    ('LP134', 'node_not_addable', 'conflict'),
    ('LP135', 'lead_has_moved', 'retry'),
    ('LP136', 'lead_cannot_move', 'conflict'),
    ('LP137', 'terms_missing_on_node', 'conflict'),
    ('LP138', 'moved_lead_differs', 'conflict'),
    ('22000', 'data_exception', 'invalid'),
    ('22003', 'number_out_of_range', 'invalid'),
    ('22008', 'instant_overflow', 'invalid'),
    ('22023', 'parameter_invalid', 'invalid'),
    ('23503', 'policy_of_row_not_found', 'invalid'),
    ('23505', 'lead_number_exists', 'conflict'),
    ('23514', 'row_invalid', 'invalid'),
    ('25006', 'server_read_only', 'conflict'),
    ('LP110', 'no_texts_named', 'invalid'),
    ('2D000', 'call_in_transaction_block', 'invalid'),
    ('40001', 'serialization_failure', 'retry'),
    ('40P01', 'deadlock_detected', 'retry'),
    ('42501', 'right_missing', 'forbidden'),
    ('55P03', 'lock_not_available', 'retry'),
    ('57014', 'canceled_or_timed_out', 'retry')
) AS e (sqlstate, name, category)
INNER JOIN (
    VALUES
    ('not_found', 404, false),
    ('conflict', 409, false),
    ('invalid', 422, false),
    ('forbidden', 403, false),
    ('retry', 503, true)
) AS c (category, http_status, retryable) ON e.category = c.category
ORDER BY e.sqlstate COLLATE "C";

COMMENT ON VIEW lead_protection.error_codes IS
'What a program makes of an error: every SQLSTATE that Lead Protection raises by itself (class LP), and those of '
'PostgreSQL that its callers meet. A code that is not here is no answer to the caller: HTTP 500. The same as JSON is '
'schemas/error-codes.json; what to do is in docs/error-codes.md.';
COMMENT ON COLUMN lead_protection.error_codes.sqlstate IS 'The code, five characters; the same in every version.';
COMMENT ON COLUMN lead_protection.error_codes.name IS 'A name for programs and logs; the same in every version.';
COMMENT ON COLUMN lead_protection.error_codes.category IS
'not_found: what was named is not there; conflict: it is not in a state for that; invalid: an argument makes no sense; '
'forbidden: the caller may not; retry: others were at work.';
COMMENT ON COLUMN lead_protection.error_codes.http_status IS
'The status of HTTP that says so: 404, 409, 422, 403 or 503.';
COMMENT ON COLUMN lead_protection.error_codes.retryable IS
'Whether the same call, in a new transaction, may succeed by itself. Nothing was done by the call that failed.';
