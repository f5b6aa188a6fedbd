"""What the calls on holds refuse, and that a refusal changes nothing."""

from helpers.calls import call, refused
from helpers.facts import EXPIRED, PROTECTED, insert_lead_of_age
from helpers.hold_calls import (
    create,
    everything,
    from_now,
    void,
)
from helpers.hold_limits import limited_lead

# --- what is refused ---


# 1: open hold of lead 1. 2: planned there. 3: void there. 4: of lead 2, closed. 5: of user 7, lead 3 is user 8's.
# 6: open, of lead 5 under a limit of 10 days, made 4 days ago. Lead 4 has expired.
REFUSED = [
    ("LP001", "correct_lead_hold(NULL, 1, now(), NULL, 'x', 1)"),
    ("LP001", "correct_lead_hold(1, NULL, now(), NULL, 'x', 1)"),
    ("LP001", "correct_lead_hold(1, 1, NULL, NULL, 'x', 1)"),
    ("LP001", "correct_lead_hold(1, 1, now(), NULL, 'x', NULL)"),
    ("LP001", "void_lead_hold(NULL, 1, 'x', 1)"),
    ("LP001", "void_lead_hold(1, NULL, 'x', 1)"),
    ("LP001", "void_lead_hold(1, 1, 'x', NULL)"),
    ("LP001", "override_hold_limit(NULL, 1, now() + INTERVAL '1 day', 'x', 1)"),
    ("LP001", "override_hold_limit(1, 1, NULL, 'x', 1)"),
    ("LP001", "override_hold_limit(1, 1, now() + INTERVAL '1 day', 'x', NULL)"),
    ("LP002", "create_lead_hold(99, 7, 'x', 1)"),
    ("LP003", "create_lead_hold(3, 7, 'x', 1)"),
    ("LP003", "correct_lead_hold(5, 2, now(), NULL, 'x', 1)"),
    ("LP003", "void_lead_hold(5, 2, 'x', 1)"),
    ("LP003", "override_hold_limit(5, 2, now() + INTERVAL '1 day', 'x', 1)"),
    ("LP004", "correct_lead_hold(1, 1, now(), NULL, ' ', 1)"),
    ("LP004", "correct_lead_hold(1, 1, now(), NULL, NULL, 1)"),
    ("LP004", "void_lead_hold(1, 1, repeat('x', 256), 1)"),
    ("LP004", "override_hold_limit(1, 1, now() + INTERVAL '1 day', '', 1)"),
    ("LP004", "create_lead_hold(1, 7, 'OTHER', 1)"),
    ("LP005", "correct_lead_hold(1, 1, '1899-12-31Z', NULL, 'x', 1)"),
    ("LP005", "correct_lead_hold(1, 1, now(), 'infinity', 'x', 1)"),
    ("LP005", "override_hold_limit(1, 1, 'infinity', 'x', 1)"),
    ("LP006", "correct_lead_hold(1, 1, now(), now(), 'x', 1)"),
    ("LP006", "override_hold_limit(1, 1, now() - INTERVAL '1 year', 'x', 1)"),
    ("LP007", "correct_lead_hold(1, 1, now() + INTERVAL '1 hour', NULL, 'x', 1)"),
    ("LP008", "create_lead_hold(4, 7, 'x', 1)"),
    ("LP009", "create_lead_hold(2, 7, 'x', 1)"),
    ("LP009", "correct_lead_hold(4, 2, now(), NULL, 'x', 1)"),
    ("LP009", "void_lead_hold(4, 2, 'x', 1)"),
    ("LP009", "override_hold_limit(4, 2, now() + INTERVAL '1 day', 'x', 1)"),
    ("LP030", "create_lead_hold(1, 7, 'FFZ_SUPLY_ISSUE', 1)"),
    ("LP031", "create_lead_hold(1, 7, 'USER_NEEDS_TIME', 1)"),
    ("LP032", "create_lead_hold(5, 7, 'x', 1, now(), now() + INTERVAL '11 days')"),
    ("LP032", "correct_lead_hold(6, 1, now() - INTERVAL '4 days', now() + INTERVAL '7 days', 'x', 1)"),
    ("LP032", "correct_lead_hold(6, 1, now() - INTERVAL '11 days', NULL, 'x', 1)"),
    ("LP033", "correct_lead_hold(999, 1, now(), NULL, 'x', 1)"),
    ("LP033", "void_lead_hold(999, 1, 'x', 1)"),
    ("LP033", "override_hold_limit(999, 1, now() + INTERVAL '1 day', 'x', 1)"),
    ("LP034", "correct_lead_hold(3, 2, now() - INTERVAL '1 day', NULL, 'x', 1)"),
    ("LP034", "override_hold_limit(3, 2, now() + INTERVAL '9 days', 'x', 1)"),
    ("LP035", "correct_lead_hold(1, 2, now(), NULL, 'x', 1)"),
    ("LP035", "correct_lead_hold(3, 1, now(), NULL, 'x', 1)"),
    ("LP035", "void_lead_hold(1, 0, 'x', 1)"),
    ("LP035", "override_hold_limit(1, 7, now() + INTERVAL '1 day', 'x', 1)"),
    ("LP036", "correct_lead_hold(2, 1, now() - INTERVAL '1 day', NULL, 'x', 1)"),
    ("LP036", "correct_lead_hold(1, 1, h.start_at, h.end_at, 'x', 1)"),
]


def test_refused_with_detail_and_hint_and_nothing_changed(lead):
    create(lead, start_at=from_now(-10))
    create(lead, start_at=from_now(5), end_at=from_now(6))
    void(lead, create(lead, start_at=from_now(5), end_at=from_now(7))["hold_id"], 1)
    for lead_id, days in ((2, PROTECTED), (3, PROTECTED), (4, EXPIRED)):
        insert_lead_of_age(lead, lead_id, days)
    create(lead, 2)
    call(lead, "close_lead", lead_id=2, user_id=7, outcome="LOST", reason="x", actor_id=1)
    create(lead, 3)
    call(lead, "transfer_lead", lead_id=3, user_id=7, new_user_id=8, reason="x", actor_id=1)
    limited_lead(lead, 5, hold_limit_days=10)
    assert create(lead, 5, start_at=from_now(-4))["hold_id"] == 6
    left = everything(lead)
    for sqlstate, statement in REFUSED:
        query = f"SELECT f.* FROM lead_protection.lead_holds AS h, lead_protection.{statement} AS f WHERE h.id = 2"
        try:
            refused(sqlstate, lead.execute, query)
        except BaseException as error:
            error.add_note(statement)
            raise
        assert everything(lead) == left, statement


def test_a_message_reads_the_same_in_every_session(lead):
    limited_lead(lead, 2, hold_limit_days=10)
    wrong = {"start_at": from_now(-1), "end_at": from_now(20)}
    told = set()
    for zone, style in (("UTC", "ISO"), ("Asia/Tokyo", "German")):
        lead.execute(f"SET TimeZone = '{zone}'")
        lead.execute(f"SET DateStyle = '{style}'")
        told.add(refused("LP032", create, lead, 2, **wrong).diag.message_detail)
        turned = {"start_at": wrong["end_at"], "end_at": wrong["start_at"]}
        told.add(refused("LP006", create, lead, 2, **turned).diag.message_detail)
    assert len(told) == 2
