"""Which nodes a call goes to, and how their answers are put together: a rule for each public function.

lead_protection/router.py makes the router's functions by these rules, and docs/scaling.md shows them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """Where calls of a kind go, and what they cannot promise across nodes; both as docs/scaling.md says it."""

    goes_to: str
    promise: str


KINDS = {
    "lead": Kind("the node of `lead_id`", "As on one database."),
    "hold": Kind("the node of the hold's lead", "As on one database."),
    "log": Kind("the node of `lead_id`; all nodes if it is null", "Each node answers for an instant of its own."),
    "list": Kind(
        "the nodes of `lead_ids`, each with its part; all nodes if it is null",
        "One transaction for each node: an error may come from one node when others have done their part. Repeated with"
        " the same arguments, those return what they did, and the rest is done.",
    ),
    "rows": Kind("all nodes", "Each node answers for an instant of its own."),
    "every": Kind(
        "all nodes",
        "One transaction for each node: after an error some may have done it. Repeat the call.",
    ),
    "terms": Kind(
        "the first node, and from there to all",
        "Refused (LP131) unless all nodes agree before. After an error the others may lag behind:"
        " `lead_protection_router.bring_in_step()`.",
    ),
    "one": Kind("the first node that answers", "As on one database: it needs no lead."),
    "lease": Kind("the node that gave `lease_token`", "As on one database."),
    "own": Kind("see below", ""),
    "refused": Kind("nowhere (LP132)", "Call it on a node."),
}


@dataclass(frozen=True)
class Rule:
    """A rule: the kind, and for what all nodes answer how that becomes one answer.

    Of a single value: sum, any (true if one says true) or first. Of rows: by how many columns they are grouped, while
    the others are added up; 0: as they are.
    """

    kind: str
    combine: str = "first"
    group_by: int = 0


def _rules() -> dict[str, Rule]:
    rules = {
        "create_calendar_version": Rule("terms"),
        "create_policy_version": Rule("terms"),
        "set_default_policy": Rule("terms"),
        "assign_user_policy": Rule("terms"),
        "configure_reminders": Rule("terms"),
        "pause_protection": Rule("every"),
        "resume_protection": Rule("every"),
        "register_event_consumer": Rule("every"),
        "unregister_event_consumer": Rule("every", "sum"),
        "replay_events": Rule("every", "sum"),
        "discard_dead_events": Rule("every", "sum"),
        "mend_clock_drift": Rule("every", "sum"),
        "recover_from_clock_ahead": Rule("every", group_by=1),
        "refresh_metrics": Rule("every", "any"),
        "erase_texts": Rule("list", "sum"),
        "forecast_protection": Rule("rows", group_by=2),
        "verify_protection_log": Rule("log"),
    }
    for kind, names in {
        "lead": "backdate_lead close_lead correct_lead_activity create_lead_hold delete_lead delete_lead_activity"
        " explain_protection explain_protection_json extend_lead give_back_lead lead_log protection_statement"
        " record_lead_activity release_lead_hold reopen_lead report_reminder_delivery start_reminder_delivery"
        " transfer_lead void_lead_closing limits_count_from",
        "hold": "correct_lead_hold override_hold_limit void_lead_hold",
        "list": "close_leads hold_leads move_leads_to_policy release_leads transfer_leads",
        "rows": "protection_as_of user_lead_protection waiting_reminders waiting_warnings",
        "one": "calendar_expiry easter_sunday elapsed_text find_help help is_sensible_instant is_working_day"
        " nearest_working_day next_working_day plus_elapsed previous_working_day protection_end"
        " reminder_window",
        "lease": "acknowledge_events fail_events",
        "own": "protect_lead claim_events health_now metric_samples prometheus_metrics",
        # Of adopted tables, which are beside a node; of the jobs, which each node runs by itself; of the log of one
        # node; pages of all leads of a user; and functions that take or give a clock, a row
        # of a table or a multirange, which PL/Proxy cannot carry.
        "refused": "adopted_tables dismiss_adopted_row find_adoption_drift lead_id_of preview_switch_on"
        " queue_adoption_drift run_adopted_sql"
        " announce_hold_limits cron_faults end_overrun_holds follow_adopted_tables is_at_work raise_job_failure"
        " require_cron_rights_sql run_job_step run_nightly_maintenance run_protection_pipeline schedule_jobs"
        " schedule_jobs_sql start_job_run try_refresh_metrics unschedule_jobs unschedule_jobs_sql waiting_reason"
        " export_log seal_checkpoint"
        " protection_report statement_of_user"
        " awaited_expiry clock_at hold_limit is_on_hold is_plainly_held notice_received_at protection_state"
        " pushed_expiry recounted_expiry reminder_waits_since waits_for_notice derive_lead_clocks find_clock_drift"
        " noticed_expiry rule_expiry stop_clock stopped_time_left hold_stops running_clock old_snapshots",
    }.items():
        rules |= {name: Rule(kind) for name in names.split()}
    return rules


RULES = _rules()

# What every node has alike: it is read on one. Any other table or view that a role may read is read on all nodes, each
# row with the name of its node.
READ_ON_ONE = frozenset(
    {
        "activity_kinds",
        "calendar_days",
        "calendars",
        "error_codes",
        "event_types",
        "health_checks",
        "help_operations",
        "hold_reasons",
        "holiday_rules",
        "job_definitions",
        "metric_buckets",
        "metric_definitions",
        "policy_assignments",
        "policy_warnings",
        "protection_policies",
        "shipped_calendars",
        "statement_texts",
        "v_calendar_days",
    }
)
# What the router answers itself, and what is nobody's but a node's: adopted tables and the inside of the system.
NOT_READ = frozenset(
    {
        "adopted_holds",
        "adopted_leads",
        "adopted_users",
        "adoption_note_rows",
        "adoption_notes",
        "adoption_queue",
        "adoptions",
        "health",
        "lock_rows",
        "metric_counts",
        "metric_rows",
        "metric_values",
        "migration_checksums",
        "nightly_proofs",
        "v_default_policy_change",
        "v_kpi_adoption",
        "v_metrics",
    }
)
