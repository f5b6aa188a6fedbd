"""What must be seen once a section of the runbook was followed, and what its reader puts in."""

from helpers.pages import Results

# By section and block, or None for any block of the section; one that begins with SELECT is what that answers. The
# numbers are those of the demo's sample.
Values = dict[str | None, dict[str, str]]

OPERATOR_NUMBER = {"actor_id": "901"}
TWO_DAYS_AGO = "SELECT now() - INTERVAL '2 days'"

PUT_IN: dict[str, Values] = {
    "The server's clock was behind": {None: {"behind": "300 days", "first": "1"}},
    "A date is in dispute": {None: {"lead_id": "310", "as_of": "yesterday 12:00 Europe/Berlin"}},
    "Put a lead on hold": {
        None: OPERATOR_NUMBER | {"lead_id": "44", "user_id": "109", "reason": "price approval is awaited"}
    },
    "A hold is wrong, too long or forgotten": {
        None: OPERATOR_NUMBER
        | {
            "lead_id": "262",
            "version": "1",
            "end_at": "yesterday 12:00 Europe/Berlin",
            "reason": "samples came yesterday at noon",
        },
        "released": {"lead_id": "261", "user_id": "104"},
        "void-previewed": {"lead_id": "263", "reason": "was meant for another lead"},
        "voided": {"lead_id": "263", "reason": "was meant for another lead"},
        "cancelled": {"lead_id": "297", "reason": "plant holidays were called off"},
        "overridden": {
            "lead_id": "264",
            "until_at": "SELECT now() + INTERVAL '14 days'",
            "reason": "supplier named the day",
        },
        "overrun": {"lead_id": "264"},
    },
    "Hold many leads at once": {
        None: OPERATOR_NUMBER
        | {
            "request_key": "strike-2026-11",
            "reason": "SUPPLY_ISSUE",
            "lead_ids": "{12,36,195,231,265,999999}",
            "start_at": "yesterday 06:00 Europe/Berlin",
        },
        "of-user": {
            "request_key": "illness-105-2026-11",
            "reason": "illness of the user",
            "user_id": "105",
            "end_at": "tomorrow 18:00 Europe/Berlin",
        },
    },
    "A user got no reminder": {None: {"lead_id": "180", "message_id": "ticket 2042", "error": "the user never got it"}},
    "Reminders must go out again": {
        None: {"consumer_name": "mailer", "since": TWO_DAYS_AGO, "error": "the mail server lost it, ticket 2043"}
    },
    "Events are not taken": {
        None: {"consumer_name": "mailer", "since": TWO_DAYS_AGO, "lead_id": "180", "reason": "told by telephone"}
    },
    "An adopted row is out of step": {
        None: {
            "company_table": "public.crm_leads",
            "lead_id": "9001",
            "started_at": "now",
            "adoption": "crm_leads",
            "row_key": "9003",
            "reason": "a test of the CRM team",
            "actor_id": "900",
            "trigger": "lead_protection_delete",
        }
    },
    "Many leads expire at once": {None: OPERATOR_NUMBER | {"reason": "expiry spike: finding the cause"}},
    "There is no default policy": {None: OPERATOR_NUMBER | {"policy_name": "standard"}},
    "The default policy was changed": {
        None: OPERATOR_NUMBER
        | {
            "policy_name": "standard",
            "version": "1",
            "lead_ids": "SELECT array_agg(id) FROM lead_protection.leads WHERE request_key = 'crm-1'",
            "reason": "entered under the wrong policy",
        }
    },
    "A lead is missing from the list": {None: {"lead_id": "310", "lead_key": "310"}},
    "A lead's user, start or end is wrong": {
        None: OPERATOR_NUMBER | {"lead_id": "44", "user_id": "110", "reason": "customer came back"},
        "extended": {
            "user_id": "109",
            "days": "14",
            "reason": "promised by the head of sales",
            "approved_by": "902",
            "request_key": "request-2043",
        },
        "backdated": {
            "user_id": "109",
            "started_at": "SELECT created_at - INTERVAL '2 days' FROM lead_protection.leads WHERE id = 44",
            "reason": "entered two days late",
            "evidence": "mail of the user, archive no. 7731",
        },
        "transferred": {"user_id": "109", "new_user_id": "110", "reason": "brought in by 110"},
        "deleted": {"reason": "entered twice"},
    },
    "A user leaves": {
        None: OPERATOR_NUMBER
        | {"request_key": "109-leaves", "user_id": "109", "new_user_id": "110", "reason": "left the company"}
    },
    "The log does not prove itself": {None: {"lead_id": "42", "log_number": "1"}},
    "Erase a person's data": {
        None: OPERATOR_NUMBER | {"user_id": "109", "word": "price", "reason": "request 2026-17", "lead_ids": "{42,44}"}
    },
    "An activity is missing or wrong": {
        None: OPERATOR_NUMBER
        | {
            "lead_id": "312",
            "user_id": "114",
            "activity_key": "dispute-2026-17",
            "kind": "QUALIFIED_CALL",
            "occurred_at": "SELECT now() - INTERVAL '40 days'",
            "reason": "the answer, not the call",
        },
        "corrected": {"kind": "CUSTOMER_REACTION", "occurred_at": "SELECT now() - INTERVAL '38 days'"},
        "deleted": {"activity_key": "visit-1", "reason": "was another customer"},
    },
    "A contract changes": {
        None: OPERATOR_NUMBER
        | {"policy_name": "agents", "version": "2", "user_id": "113", "reason": "contract of December"}
    },
    "A working day is wrong": {
        None: OPERATOR_NUMBER
        | {
            "policy_name": "agents by the day",
            "version": "2",
            "calendar_id": "SELECT calendar_id FROM lead_protection.protection_policies"
            " WHERE name = 'agents by the day' ORDER BY version LIMIT 1",
            "day": "SELECT window_date FROM lead_protection.lead_clocks WHERE lead_id = 5000",
            "days": "SELECT jsonb_build_array(jsonb_build_object('date', window_date, 'name', 'works outing'))"
            " FROM lead_protection.lead_clocks WHERE lead_id = 5000",
            "reason": "days off of the new year",
        }
    },
    "A lead expired too early": {
        None: OPERATOR_NUMBER
        | {
            "lead_id": "195",
            "user_id": "110",
            "start_at": "SELECT protection_expires_at - INTERVAL '30 days' FROM lead_protection.lead_clocks"
            " WHERE lead_id = 195",
            "end_at": "now",
            "reason": "correction: supply stop was not entered",
        },
        "holds": {"lead_id": "205"},
        "corrected": {
            "hold_id": "SELECT id FROM lead_protection.lead_holds WHERE lead_id = 205",
            "version": "1",
            "start_at": "SELECT start_at FROM lead_protection.lead_holds WHERE lead_id = 205",
            "end_at": "SELECT end_at + INTERVAL '40 days' FROM lead_protection.lead_holds WHERE lead_id = 205",
            "reason": "released 40 days too early, mail of the plant, archive no. 7802",
        },
    },
    "After a failover or a restore": {
        None: OPERATOR_NUMBER | {"reason": "restored from a backup: deciding about reminders"}
    },
    "Pausing everything and resuming": {None: OPERATOR_NUMBER | {"reason": "import of the leads of the south"}},
    "Training": {None: OPERATOR_NUMBER | {"lead_id": "42"}},
}


def summary_shows(results: Results) -> None:
    assert [(row[0], row[1], row[4]) for row in results["not-ok"]] == [
        ("scheduler", "critical", "Reminders are not sent"),
        ("pipeline", "critical", "Reminders are not sent"),
        ("nightly", "critical", "Reminders are not sent"),
        ("reminders_overdue", "critical", "Reminders are not sent"),
    ]


def reminders_are_sent(results: Results) -> None:
    runs_before, cron, overdue, health = results.take("runs-before", "cron", "overdue", "health")
    assert runs_before == []
    assert cron[0][1] == "1", "pg_cron's launcher is there"
    assert overdue == [["0"]]
    assert [row[1] for row in health] == ["ok"] * 4


def failure_is_seen_and_mended(results: Results) -> None:
    failed, last = results.take("failed", "last")
    assert [row[3].split(":")[0] for row in failed] == ["23514"]
    assert "intruder" in failed[0][3]
    assert last[0][2] == "succeeded" and '"reminders": 20' in last[0][3]


def abandoned_run_is_seen_and_marked(results: Results) -> None:
    running, blocking, ended, runs, health = results.take("running", "blocking", "ended", "runs", "health")
    assert [row[4] for row in running] == ["f"]
    assert blocking == ended == []
    assert [row[1] for row in runs] == ["succeeded", "abandoned"]
    assert [row[0] for row in health] == ["ok"]


def session_is_named_and_ended(results: Results) -> None:
    held, ended, health = results.take("held", "ended", "health")
    assert [(row[1], row[2], row[6]) for row in held] == [("lead-protection-reminders", "reminders", "forgotten")]
    assert [row[1] for row in ended] == ["t"]
    assert [row[0] for row in health] == ["ok"]


def holder_is_named_and_ended(results: Results) -> None:
    held, open_, ended, health = results.take("held", "open", "ended", "health")
    assert [row[0].partition(" of ")[2] for row in held] == ["role postgres (forgotten)"]
    assert [row[4] for row in open_] == ["forgotten"]
    assert [row[1] for row in ended] == ["t"]
    assert [row[:2] for row in health] == [["ok", "nobody keeps rows from being cleared away"]]


def log_is_sealed_again(results: Results) -> None:
    seals, writing, ended, health = results.take("seals", "open", "ended", "health")
    assert len(seals) == 1 and seals[0][3]
    assert writing[0][2] == "forgotten"
    assert [row[1] for row in ended] == ["t"]
    assert [row[0] for row in health] == ["ok"]


def faults_of_the_schedule_are_shown(results: Results) -> None:
    results.take("cure", "health")


def late_event_is_found(results: Results) -> None:
    late, health = results.take("late", "health")
    assert [(row[0], row[1]) for row in late] == [("42", "lead.clock.mended")]
    assert [row[0] for row in health] == ["ok"]


def log_is_put_right(results: Results) -> None:
    problems, published, proof, health = results.take("problems", "published", "proof", "health")
    assert [row[:3] for row in problems] == [["42", "1", "ROW_CHANGED"]]
    assert [row[0] for row in published] == [row[5] for row in published] == ["lead.hold.created"]
    assert proof == [["0"]]
    assert [row[0] for row in health] == ["ok"]


def dispute_is_explained(results: Results) -> None:
    was, steps, log, facts, history = results.take("was", "steps", "log", "facts", "history")
    statement, difference = results.take("statement", "difference")
    assert [row[:3] for row in was] == [["113", "agents", "1"]]
    assert was[0][6] in steps[-1], "the last step is the date that was shown"
    assert [row[1] for row in log] == ["lead.protection.transferred"]
    assert [row[0] for row in facts if row[4] == "visit-1"] == ["CUSTOMER_REACTION"]
    assert [row[0] for row in history] == ["113"]
    assert statement[0] == ["# Statement of protection: lead 310"]
    assert difference == []


def lead_is_put_right(results: Results) -> None:
    extended, backdated, transferred, reopened, voided, deleted, log = results.take(
        "extended", "backdated", "transferred", "reopened", "closing-voided", "deleted", "log"
    )
    assert [row[0] for row in (*extended, *backdated, *transferred, *reopened, *voided, *deleted)] == ["t"] * 7
    assert voided[0][3] < voided[0][4]
    assert extended[0][1] < extended[0][2] and backdated[0][1] > backdated[0][2]
    assert transferred[0][1] == "110"
    assert [row[2] for row in reopened] == ["CLOSED", "PROTECTED"]
    assert [row[0] for row in log] == [
        "lead.protection.extended",
        "lead.protection.backdated",
        "lead.protection.transferred",
        "lead.closed",
        "lead.reopened",
        "lead.hold.created",
        "lead.deleted",
    ]


def activity_is_put_right(results: Results) -> None:
    before, recorded, corrected, deleted, after = results.take("before", "recorded", "corrected", "deleted", "after")
    assert [row[0] for row in before if row[3] == "t"] == ["visit-1", "call-1"]
    assert recorded[0][:3] == ["t", "EXPIRED", "PROTECTED"]
    assert corrected[0][0] == "t" and corrected[0][1] < corrected[0][2]
    assert deleted[0][0] == "t" and deleted[0][1] == deleted[0][2]
    assert after[0][1] == "PROTECTED" and after[0][2] == corrected[0][2] and after[0][4] != ""


def contract_is_changed(results: Results) -> None:
    policies, assignments, version, assigned, previewed, moved, log = results.take(
        "policies", "assignments", "version", "assigned", "previewed", "moved", "log"
    )
    assert [row[1:4] for row in policies] == [["agents", "1", "f"], ["standard", "1", "t"]]
    assert [row[0] for row in assignments] == ["113", "114"]
    assert version[0][1:] == ["2", "t"] and assigned == [["t"]]
    changed = {row[0]: (row[3], row[4]) for row in previewed}
    assert len(changed) > 1 and changed["311"][0] > changed["311"][1]
    assert moved == [[str(len(log))]]
    # The shown date of a lead that now owes a notice moves between preview and move.
    assert {row[0] for row in log if row[3] != row[4]} == changed.keys()
    assert {row[0]: row[4] for row in log}["311"] == changed["311"][1]


def working_day_is_put_right(results: Results) -> None:
    pinned, days, calendar, version, moved = results.take("pinned", "days", "calendar", "version", "moved")
    assert [row[1:] for row in pinned] == [["agents by the day", "1", "DE-NW", "1", "2100", "f", "1"]]
    assert all(len(row) == 3 for row in days)
    assert calendar[0][1:] == ["COMPANY", "1", "t"] and version[0][1:] == ["2", "t"]
    # The last protected day is a day off now: the end moves on by a day at least.
    ((lead_id, before, after),) = moved
    assert lead_id == "5000" and before[:10] < after[:10]


def expiry_waits_for_its_notice(results: Results) -> None:
    owed, moved = results.take("owed", "moved")
    assert [(row[0], row[5]) for row in owed] == [("975", "t"), ("962", "f")]
    assert ["975", "GRACE"] in [[row[0], row[5]] for row in moved]


def drift_is_found_and_mended(results: Results) -> None:
    drift, triggers, after, log = results.take("drift", "triggers", "after", "log")
    assert [row[0] for row in drift] == ["42"] and drift[0][1] > drift[0][2]
    assert triggers == []
    assert after == [["0"]]
    assert [row[1] for row in log] == ["42", "42"] and log[0][3] == drift[0][2]


def hold_is_put_right(results: Results) -> None:
    in_force, of_lead, released = results.take("in-force", "of-lead", "released")
    previewed, corrected = results.take("previewed", "corrected")
    void_previewed, voided = results.take("void-previewed", "voided")
    cancelled, overridden = results.take("cancelled", "overridden")
    lead, history, overrun = results.take("lead", "history", "overrun")
    assert {row[2] for row in in_force if row[10] == "t"} == {"264", "265"}
    assert [row[1] for row in of_lead] == ["1"]
    assert released[0][3] == "t"
    assert corrected[0][:2] == ["t", previewed[0][1]] and corrected[0][3] == previewed[0][3] < previewed[0][2]
    assert voided[0][:2] == ["t", void_previewed[0][1]] and voided[0][3] == void_previewed[0][3] < void_previewed[0][2]
    assert cancelled[0][0] == "t" and cancelled[0][2] > cancelled[0][3]
    assert overridden == [["t", "PROTECTED"]]
    assert lead[0][2:4] == ["f", corrected[0][3]] and lead[0][4] != ""
    assert [row[1] for row in history] == ["lead.hold.corrected"] and history[0][6] == "" != history[0][8]
    assert overrun == []


def many_are_held(results: Results) -> None:
    reasons, on_hold, held, of_user, refused, released, holds = results.take(
        "reasons", "on-hold", "held", "of-user", "refused", "released", "holds"
    )
    assert ["USER_NEEDS_TIME", "f"] in [row[:2] for row in reasons]
    assert on_hold
    assert [(row[0], row[1], row[3], row[4]) for row in held] == [
        ("already", "", "1", "265"),
        ("done", "", "2", "12"),
        ("refused", "LP002", "1", "999999"),
        ("refused", "LP008", "1", "195"),
        ("refused", "LP009", "1", "231"),
    ]
    assert {(row[0], row[1]) for row in of_user} == {("done", ""), ("refused", "LP008")}
    assert [(row[0], row[2]) for row in refused] == [("195", "LP008"), ("231", "LP009")]
    assert released == [["done", "", "", "2"]]
    assert holds == [["SUPPLY_ISSUE", "f", "f", "2"]]


def reminder_is_explained(results: Results) -> None:
    lead, reminders, sent, failed = results.take("lead", "reminders", "sent", "failed")
    assert lead[0][1] == "GRACE"
    assert len(reminders) == len(sent) == 1 and reminders[0][3] != "" == reminders[0][4]
    assert failed[0][:2] == ["failed", "t"] and failed[0][2] != ""


def dead_letters_are_replayed(results: Results) -> None:
    consumers, dead, replayed, again = results.take("consumers", "dead", "replayed", "again")
    assert [row[:5] for row in consumers] == [["mailer", "17", "0", "0", "3"]]
    assert [row[1:4] for row in dead] == [["lead.protection.reminder", "mail server unknown", "3"]]
    assert replayed == [["3"]]
    assert again == [["72"]], "also those of the sample, which were written before the mailer was registered"


def reminders_go_out_again(results: Results) -> None:
    before, replayed, reported, after = results.take("before", "replayed", "reported", "after")
    assert [row[0] for row in before] == ["delivered", ""] and before[0][2] == "3"
    assert int(replayed[0][0]) > 0
    assert reported[0][0] == "3" and reported[0][1] != ""
    assert [row[3] for row in after if row[4]] == ["failed"] * 3


def adopted_rows_are_in_step(results: Results) -> None:
    tables, waiting, dismissed, found, drift = results.take("tables", "waiting", "dismissed", "found", "drift")
    assert [(row[0], row[2], row[5], row[7]) for row in tables] == [("public.crm_leads", "2", "3", "1")]
    assert [(row[1], row[5].split(":")[0]) for row in waiting] == [("9001", "LP010"), ("9003", "LP005")]
    assert dismissed == [["t"]]
    # The write that was not followed yet, too.
    assert found == [["2"]]
    assert [row[1] for row in drift] == ["9003"]


def starts_are_put_back(results: Results) -> None:
    paused, ended, causes, resumed, health = results.take("paused", "ended", "causes", "resumed", "health")
    assert paused[0][0] == "t" and resumed[0] == ["t"]
    assert int(ended[0][0]) > 100 and int(ended[0][2]) < 10
    assert causes[0][0] == "lead.changed" and int(causes[0][3]) > 100
    assert [row[0] for row in health] == ["ok"]


def default_is_back(results: Results) -> None:
    policies, changed, health = results.take("policies", "changed", "health")
    assert {row[3] for row in policies} == {"f"}
    assert changed == [["t"]] and [row[0] for row in health] == ["ok"]


def default_is_what_it_was(results: Results) -> None:
    decisions, came_in, put_back, moved, health = results.take("decisions", "came-in", "put-back", "moved", "health")
    assert [row[1:4] for row in decisions] == [["agents", "1", "902"]]
    assert [row[1] for row in came_in] == ["101"]
    assert put_back == [["t"]] and [row[:2] for row in moved] == [[came_in[0][0], "t"]]
    assert health == [["ok", "the default policy is that of a day ago"]]


def rows_lie_ahead_no_more(results: Results) -> None:
    ((now, last_run, last_event, expiries, reminders),), recovered, health = results.take(
        "clock", "recovered", "health"
    )
    assert now < last_run and now < last_event and int(expiries) > 100 and int(reminders) > 100
    amounts = [int(amount) for _, amount in recovered]
    assert amounts[0] == int(expiries) and amounts[1] > 0 and amounts[4] == 2 and amounts[5] > 0
    assert [row[:2] for row in health] == [["clock_skew", "ok"], ["expiry_spike", "ok"]]


def leads_begin_when_they_came(results: Results) -> None:
    behind, moved, now = results.take("behind", "moved", "now")
    assert {row[1] for row in behind} >= {"lead.created", "lead.protection.transferred"}
    assert all(row[3].startswith("299 days 23:") for row in behind)
    assert sorted(row[0] for row in moved) == sorted({row[0] for row in behind})
    assert [(row[0], row[2]) for row in now] == [(lead_id, "PROTECTED") for lead_id in sorted(r[0] for r in moved)]


def pause_is_over(results: Results) -> None:
    settings, log, paused, running, resumed, health = results.take(
        "settings", "log", "paused", "running", "resumed", "health"
    )
    assert settings[0][1:3] == ["902", "a migration of the CRM"] and settings[0][3].startswith("paused by 902 at ")
    assert [row[:3] for row in log] == [["paused", "902", "a migration of the CRM"]]
    assert paused == [["f", *settings[0][:3]]]
    assert running == []
    assert resumed == [["t"]]
    assert [row[:2] for row in health] == [["paused", "ok"], ["pipeline", "ok"]]


def exercises_show_what_they_promise(results: Results) -> None:
    look, helped, pause, tampered, mended, mailer, no_default, default, left_behind, end = results.take(
        "look", "helped", "pause", "tampered", "mended", "mailer", "no-default", "default", "left-behind", "end"
    )
    assert len(look) == 23
    assert helped[0][0] == "Reminder werden nicht versendet" and "Reminder sind überfällig" in helped[0][1]
    assert pause[1][0] == "skipped" and "training" in pause[1][1] and pause[2][0] == "warn"
    assert tampered[0][0] == "42" and tampered[1][0] == "warn"
    assert mended[0][0] == "ok" and mended[1][0] == "42"
    assert [row[0] for row in mailer[:5]] == ["training", "5", "warn", "5", "ok"]
    assert no_default[-1][0] == "critical" and default == [["t"], ["ok", "the default is standard, version 1"]]
    assert left_behind[-1][0] == "critical" and end == []


def lead_is_back(results: Results) -> None:
    holds, (preview, corrected), lead = results.take("holds", "corrected", "lead")
    assert [row[1] for row in holds] == ["1"]
    assert preview[0] == "EXPIRED" and preview[1] in ("PROTECTED", "REMINDER_DUE", "GRACE")
    assert corrected == ["t", *preview[:2], preview[3]]
    state, _, had_expired, reactivated = lead[0]
    assert state in ("PROTECTED", "REMINDER_DUE", "GRACE")
    assert had_expired and reactivated


def unreminded_leads_are_found(results: Results) -> None:
    assert [row[1] for row in results["unreminded"]] == ["101", "101"]


def restored_database_is_caught_up(results: Results) -> None:
    paused, would_go_out, nightly = results.take("paused", "would-go-out", "nightly")
    assert paused[0][0] == "t"
    assert len(would_go_out) == 20
    assert nightly[0][1] == "succeeded" and '"clocks_mended": 0' in nightly[0][2]


def schema_is_gone(results: Results) -> None:
    assert results["gone"] == [["t"]]


def daily_numbers(results: Results) -> None:
    sla, states = results.take("sla", "states")
    assert sum(int(row[1]) for row in sla) >= 20
    assert {row[0] for row in states} == {"PROTECTED", "REMINDER_DUE", "GRACE", "EXPIRED", "CLOSED"}


def lead_is_on_hold(results: Results) -> None:
    before, reasons, created, after = results.take("before", "reasons", "created", "after")
    assert before[0][:4] == ["44", "109", "PROTECTED", "f"]
    assert "USER_NEEDS_TIME" not in [row[0] for row in reasons]
    assert created[0][1] == "t" and created[0][3] == ""
    assert after[0][1:3] == ["PROTECTED", "t"] and after[0][4] == ""


def lead_is_found(results: Results) -> None:
    lead, log, waiting = results.take("lead", "log", "waiting")
    assert lead[0][2:4] == ["114", "PROTECTED"]
    assert [row[1:4] for row in log] == [["lead.protection.transferred", "114", "900"]]
    assert waiting == []


def leads_have_a_successor(results: Results) -> None:
    states, transferred, left = results.take("states", "transferred", "left")
    held = {row[0]: int(row[1]) for row in states}
    assert held["CLOSED"] > 0 < held["PROTECTED"]
    assert transferred == [["done", "", "", str(sum(held.values()) - held["CLOSED"])]]
    assert left == [["0"]]


def person_is_erased(results: Results) -> None:
    occurs, texts, of_user, of_leads, proof = results.take(
        "occurs", "texts", "erased-user", "erased-leads", "proof-stays"
    )
    assert int(occurs[0][0]) > 0
    assert texts
    assert int(of_user[0][0]) > 0 and int(of_user[0][1]) >= int(of_user[0][0]) and len(of_leads) == 1
    assert proof == [["0"]]
