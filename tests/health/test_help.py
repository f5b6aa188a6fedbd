"""Guided help: a question in plain words finds the operation of the runbook, as JSON, with how things stand now."""

import json
import re

import psycopg
import pytest
from jsonschema import Draft202012Validator

from helpers.facts import REMINDER_DUE, insert_lead_of_age
from helpers.pages import RUNBOOK, sections
from helpers.project import PROJECT
from lead_protection import runbook
from lead_protection.runbook import anchor

SCHEMA = json.loads((PROJECT / "schemas" / "help" / "answer.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
GERMAN = PROJECT / "docs" / "runbook.de.md"

# What is asked, in which language, and the section that must come first.
QUESTIONS = [
    ("no reminder was sent", "en", "Reminders are not sent"),
    ("Why do no mails go out?", "en", "Reminders are not sent"),
    ("pg_cron stopped", "en", "Reminders are not sent"),
    ("lead shows wrong state", "en", "A date is in dispute"),
    ("whose lead was it in March?", "en", "A date is in dispute"),
    ("the job failed with permission denied", "en", "A job fails"),
    ("a job has been running for hours and is blocked", "en", "A job run hangs or is abandoned"),
    ("a hold was forgotten", "en", "A hold is wrong, too long or forgotten"),
    ("how do I override the hold limit?", "en", "A hold is wrong, too long or forgotten"),
    ("there is a strike at the plant, stop all clocks", "en", "Hold many leads at once"),
    ("a user says he got no mail", "en", "A user got no reminder"),
    ("a manager got no early warning", "en", "A user got no reminder"),
    ("Vorwarnung kam nicht an", "de", "A user got no reminder"),
    ("the mail server lost mails, send them again", "en", "Reminders must go out again"),
    ("dead letters", "en", "Events are not taken"),
    ("the consumer is down and the queue grows", "en", "Events are not taken"),
    ("hundreds of leads expired after an import", "en", "Many leads expire at once"),
    ("inserting new leads is refused with LP017", "en", "There is no default policy"),
    ("server time is in the future", "en", "The server's clock is wrong"),
    ("the clock was behind and new leads expired", "en", "The server's clock was behind"),
    ("Die Uhr ging nach, neue Leads sind abgelaufen", "de", "The server's clock was behind"),
    ("user ntp", "en", "The server's clock is wrong"),  # a rare word says more than a common one
    ("restored from backup, what now?", "en", "After a failover or a restore"),
    ("emergency stop", "en", "Pausing everything and resuming"),
    ("who must I wake?", "en", "Severities and escalation"),
    ("uninstall", "en", "Rolling back"),
    ("a lead is passed over, who holds it?", "en", "A lead is locked for long"),
    ("the role of a job was dropped", "en", "A scheduled job has no role, or two"),
    ("log row without event", "en", "Log rows had no event"),
    ("the log is not sealed", "en", "The log is not sealed"),
    ("Protokoll nicht versiegelt", "de", "The log is not sealed"),
    ("Reminder nicht versendet", "de", "Reminders are not sent"),
    ("Es wurden keine Erinnerungen verschickt", "de", "Reminders are not sent"),
    ("Termin falsch", "de", "A date is in dispute"),
    ("Der Lead zeigt den falschen Status", "de", "A date is in dispute"),
    ("Sperre vergessen", "de", "A hold is wrong, too long or forgotten"),
    ("Der Job hängt seit zwei Stunden", "de", "A job run hangs or is abandoned"),
    ("Job bricht mit einem Fehler ab", "de", "A job fails"),
    ("Alle Leads eines kranken Kollegen anhalten", "de", "Hold many leads at once"),
    ("Die Erinnerungsmail kam nicht an", "de", "A user got no reminder"),
    ("Der Mailer steht, die Warteschlange wächst", "de", "Events are not taken"),
    ("Plötzlich sind massenhaft Leads abgelaufen", "de", "Many leads expire at once"),
    ("Neue Leads werden abgelehnt", "de", "There is no default policy"),
    ("Die Uhr geht vor", "de", "The server's clock is wrong"),
    ("Wie halte ich alles an?", "de", "Pausing everything and resuming"),
    ("Sicherung zurückgespielt", "de", "After a failover or a restore"),
    ("Wen muss ich anrufen?", "de", "Severities and escalation"),
    ("Der Vertrag hat neue Bedingungen", "de", "A contract changes"),
    ("Anruf wurde nicht erfasst", "de", "An activity is missing or wrong"),
    ("Lead auf einen anderen Nutzer umschreiben", "de", "A lead's user, start or end is wrong"),
    # As people write who are in a hurry.
    ("we sent 3000 wrong expirys how do i stop it NOW", "en", "Many leads expire at once"),
    ("sales rep left the company, give all his leads to someone else", "en", "A user leaves"),
    ("someone deleted rows in lead_clocks", "en", "The cached clock differs from the rule"),
    ("lead is missing in the list", "en", "A lead is missing from the list"),
    ("put a lead on hold", "en", "Put a lead on hold"),
    ("erase a person's data", "en", "Erase a person's data"),
    ("GDPR request: delete everything about a user", "en", "Erase a person's data"),
    ("Handelsvertreter hat keine Erinnerung bekommen", "de", "A user got no reminder"),
    ("aktivitaet fehlt", "de", "An activity is missing or wrong"),
    ("Preisfreigabe dauert noch, frist anhalten", "de", "Put a lead on hold"),
    ("verterter wechsel lead auf anderen user umhängen", "de", "A lead's user, start or end is wrong"),
    ("verterter wechsel lead auf anderen user umhaengen", "de", "A lead's user, start or end is wrong"),
    ("Vertreter hat gekündigt, wer bekommt seine Leads?", "de", "A user leaves"),
    ("Mein Lead ist nicht in der Liste", "de", "A lead is missing from the list"),
    ("DSGVO Löschantrag", "de", "Erase a person's data"),
    ("Die Uhr des Servers geht falsch, ploetzlich Zukunft", "de", "The server's clock is wrong"),
    ("undo a hold", "en", "A hold is wrong, too long or forgotten"),
    ("cron job failed last night", "en", "A job fails"),
    ("backup einspielen", "de", "After a failover or a restore"),
    ("wann läuft mein lead ab", "de", "A date is in dispute"),
    ("agent wants a statement of all his leads", "en", "A date is in dispute"),
    ("Vertreter verlangt Buchauszug", "de", "A date is in dispute"),
    ("Kollege ist krank, was tun mit seinen Leads", "de", "Hold many leads at once"),
]
# So many of them must find their section first; how it goes with words that nobody thought of.
FIRST = len(QUESTIONS) - 3

# About something else: no answer is better than a wrong one.
STRANGE = [
    "passwort vergessen",
    "I forgot my password",
    "Wie wird das Wetter morgen?",
    "Drucker geht nicht",
    "the printer is out of paper",
    "Urlaubsantrag stellen",
    "how do I book a flight to Berlin",
    "Pizza bestellen",
    "new laptop",
    "Meine Maus geht nicht",
    "Rechnung schreiben",
    "xyzzy",
]


def ask(db, question: str | None, language: str | None = None) -> dict:
    return db.execute("SELECT lead_protection.find_help(%s, %s)", (question, language)).fetchone()[0]


def operation(db, heading: str) -> dict:
    """One operation, found by its own title."""
    (found,) = [o for o in ask(db, heading, "en")["operations"] if o["title"] == heading]
    return found


@pytest.mark.slow("sixty questions, twice")
def test_a_question_finds_its_section_whether_or_not_it_names_its_language(db):
    wrong = []
    for question, language, heading in QUESTIONS:
        for given in (None, language):
            answer = ask(db, question, given)
            assert list(VALIDATOR.iter_errors(answer)) == []
            first = (answer["language"], answer["operations"][0]["anchor"])
            if not answer["found"] or first != (language, anchor(heading)):
                wrong.append((question, given, *first))
            relevance = [found["relevance"] for found in answer["operations"]]
            assert relevance == sorted(relevance, reverse=True)
    assert len(QUESTIONS) >= 60
    assert len(QUESTIONS) - len({question for question, *_ in wrong}) >= FIRST, wrong


@pytest.mark.slow("dozens of questions")
def test_what_is_about_something_else_finds_nothing(db):
    for question in STRANGE:
        for language in (None, "en", "de"):
            answer = ask(db, question, language)
            assert not answer["found"], (question, language, answer["operations"][0]["title"])


def test_umlauts_may_be_written_as_two_letters(db):
    for question in (
        "Aktivität fehlt",
        "Lead läuft zu früh ab",
        "für alle Verträge ungültig geändert",
        "Prüfung über Nacht",
    ):
        written = question.translate({ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue"})
        assert written != question
        first, second = (ask(db, asked, "de") for asked in (question, written))
        assert first["operations"] == second["operations"]


@pytest.mark.thorough(
    "an answer to each heading in each language",
    by_day="health/test_help.py::test_a_question_finds_its_section_whether_or_not_it_names_its_language",
)
def test_every_answer_keeps_to_the_schema(db):
    """Of the questions in their language the test above looks at each answer: here they are asked in the other one."""
    Draft202012Validator.check_schema(SCHEMA)
    headings = re.findall(r"^## (.+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    seen = set()
    asked = [(text, language) for text in (*headings, "xyzzy") for language in (None, "en", "de")]
    asked += [(question, "de" if language == "en" else "en") for question, language, _ in QUESTIONS]
    for question, language in asked:
        answer = ask(db, question, language)
        assert [error.message for error in VALIDATOR.iter_errors(answer)] == []
        seen |= {found["anchor"] for found in answer["operations"]}
    assert seen == set(map(anchor, headings)), "every section can be found"


@pytest.mark.slow("dozens of questions")
def test_steps_are_the_blocks_of_the_runbook(db):
    """All of them, in their order, unchanged; and who may run them is what their mark says."""
    for heading, blocks in sections(RUNBOOK).items():
        steps = [step for step in operation(db, heading)["steps"] if step["code"]]
        assert [(step["language"], step["code"]) for step in steps] == [(b.words[0], b.text) for b in blocks]
        assert [step["run_as"] == "operator" for step in steps] == [len(b.words) == 1 for b in blocks]


def test_a_step_names_what_it_needs_and_has_nobodys_numbers_in_it(db):
    """Whoever pastes a step as it stands gets a syntax error, and no hold of somebody's that is void for good."""
    used = re.compile(r"(?<![:\w]):['\"]?([a-z]\w*)")
    gset = re.compile(r"SELECT ((?:(?!SELECT|;).)*?)(?:\sFROM (?:(?!;).)*?)? ?\\gset", re.DOTALL)
    steps = [step for (steps,) in db.execute("SELECT steps FROM lead_protection.help_operations") for step in steps]
    with_parameters = [step for step in steps if step["parameters"]]
    assert len(with_parameters) > 50
    for step in steps:
        code = step["code"] or ""
        if step["language"] == "sql":
            got = {column.split()[-1].split(".")[-1] for columns in gset.findall(code) for column in columns.split(",")}
            assert set(used.findall(code)) - got == set(step["parameters"]), code
            assert not re.search(r"(?:_id|_ids|ARRAY\[)\b ?(?:=|=>)? ?'?\d", code), code
        else:
            assert step["parameters"] == []


def test_a_section_is_told_apart_into_its_parts(db):
    found = operation(db, "A job fails")
    assert found["summary"].startswith("A run ended with an error. What it had committed before stands")
    assert found["business_context"] == "As if the job had not run, from the failed batch on."
    assert [step["phase"] for step in found["steps"]] == ["Diagnosis", "Diagnosis", "Mitigation", "Verify", "Verify"]
    assert {"error": "`25006`", "cause": "The server is read-only: a standby."} in found["troubleshooting"]
    assert found["health"][0]["check_name"] == "job_failed"
    next_steps = operation(db, "Reminders are not sent")["next_steps"]
    assert {"title": "A job fails", "anchor": "a-job-fails", "page": "runbook.md"} in next_steps


def test_the_words_of_steps_are_in_the_language_of_the_answer(db):
    english, german = (
        ask(db, title, language)["operations"][0]["steps"]
        for title, language in (("A job fails", "en"), ("Ein Job schlägt fehl", "de"))
    )
    assert [step | {"text": None} for step in english] == [step | {"text": None} for step in german]
    assert english[0]["text"] == "`error` is SQLSTATE and message:"
    assert german[0]["text"] == "`error` ist SQLSTATE und Meldung:"


@pytest.mark.slow("dozens of answers")
def test_help_gives_the_steps_of_the_best_section_and_the_titles_of_others(db):
    def rows(*arguments: str) -> list[tuple]:
        return db.execute(
            f"SELECT * FROM lead_protection.help({', '.join(['%s'] * len(arguments))})", arguments
        ).fetchall()

    found = ask(db, "no reminder was sent")["operations"]
    about, *others = rows("no reminder was sent")
    assert about[:3] == ("Reminders are not sent", 0, None)
    assert about[3].endswith("\n0 reminders are overdue.")
    steps = [row for row in others if row[1] is not None]
    assert [row[1:] for row in steps] == [
        (number, step["run_as"], step["text"], step["code"] and step["code"].rstrip("\n"))
        for number, step in enumerate(found[0]["steps"], start=1)
    ]
    assert {row[0] for row in steps} == {"Reminders are not sent"}
    assert [row[0] for row in others if row[1] is None] == [operation["title"] for operation in found[1:]]

    assert rows("aktivitaet fehlt")[0][0] == "Eine Aktivität fehlt oder ist falsch"
    assert rows("aktivitaet fehlt", "de")[1][3].startswith("Was erfasst wurde")
    assert rows("passwort vergessen", "de")[0][3].startswith("Dazu steht hier nichts.")
    assert rows("xyzzy")[0][3].startswith("Nothing here is about that.")


@pytest.mark.slow("dozens of questions")
def test_health_has_the_first_command_of_its_section(db):
    """A look, which needs no numbers of anybody's: it can be run as it stands."""
    rows = db.execute("SELECT runbook, first_command FROM lead_protection.health").fetchall()
    for section, command in rows:
        (first, *_) = [step for step in operation(db, section)["steps"] if step["language"] == "sql"]
        assert (first["code"], first["parameters"]) == (command, []) or section == "Many leads expire at once"
        assert command

    known = dict(db.execute("SELECT anchor, title_de FROM lead_protection.help_operations").fetchall())
    for (steps,) in db.execute("SELECT next_steps FROM lead_protection.help_operations"):
        assert {step["anchor"] for step in steps if step["page"] == "runbook.md"} <= set(known)
    german = ask(db, "Reminder nicht versendet")["operations"][0]["next_steps"]
    assert {step["title"] for step in german if step["page"] == "runbook.md"} <= set(known.values())


def test_live_values_change_with_the_state(db):
    def overdue(language: str) -> tuple[str, str]:
        question = {"en": "no reminder was sent", "de": "Reminder nicht versendet"}[language]
        found = ask(db, question, language)["operations"][0]
        (check,) = [check for check in found["health"] if check["check_name"] == "reminders_overdue"]
        return check["status"], found["situation"]

    insert_lead_of_age(db, 1, REMINDER_DUE)
    assert overdue("en") == ("ok", "0 reminders are overdue.")
    db.execute("UPDATE lead_protection.leads SET recorded_at = recorded_at - INTERVAL '2 hours'")
    assert overdue("en") == ("critical", "1 reminders are overdue.")
    assert overdue("de") == ("critical", "1 Reminder sind überfällig.")
    db.execute("CALL lead_protection.run_protection_pipeline()")
    assert overdue("en") == ("ok", "0 reminders are overdue.")


def test_nothing_found_gives_the_summary_and_says_so(db):
    for question, language in (("xyzzy", "en"), ("der die das", "de")):
        answer = ask(db, question, language)
        assert not answer["found"] and answer["language"] == language
        assert [found["anchor"] for found in answer["operations"]] == ["30-second-summary"]


@pytest.mark.parametrize(
    ("question", "language", "sqlstate"),
    [
        (None, None, "LP061"),
        ("", None, "LP061"),
        (" \t\n", "de", "LP061"),
        ("x" * 1001, None, "LP061"),
        ("reminder", "fr", "LP062"),
        ("reminder", "", "LP062"),
    ],
)
def test_bad_questions_are_refused(db, question, language, sqlstate):
    with pytest.raises(psycopg.Error) as error:
        ask(db, question, language)
    assert error.value.sqlstate == sqlstate
    assert error.value.diag.message_detail and error.value.diag.message_hint


def test_a_question_is_only_text(db):
    """What would be an operator of a full-text query, a pattern or SQL is none here."""
    for question in (
        "'; DROP TABLE leads --",
        "a & | ! <-> :* b",
        "%_\\",
        "{reminders_overdue}",
        "(((",
        "\u202e\u0301",
    ):
        assert ask(db, question)["operations"]


@pytest.mark.parametrize("role", ["app", "operator", "monitor"])
def test_roles_may_ask(db, role):
    db.execute(f"SET ROLE lead_protection_{role}")
    assert ask(db, "Sperre vergessen")["operations"][0]["health"]


@pytest.mark.parametrize("role", ["jobs", "consumer"])
def test_others_may_not(db, role):
    db.execute(f"SET ROLE lead_protection_{role}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(db, "Sperre vergessen")


def test_every_section_has_its_german_title_and_summary():
    english, german = (
        [runbook.anchor(title) for title in re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)]
        for page in (RUNBOOK, GERMAN)
    )
    operations = runbook.read_operations(PROJECT)
    assert [found["anchor"] for found in operations] == english
    assert [runbook.anchor(str(found["title_de"])) for found in operations] == german
    for found in operations:
        assert found["title_de"] != found["title"]
        assert found["summary_de"] and found["keywords"] and found["keywords_de"]
        assert bool(found["situation"]) == bool(found["situation_de"])
        placeholders = [sorted(re.findall(r"\{(\w+)\}", str(found[name]))) for name in ("situation", "situation_de")]
        assert placeholders[0] == placeholders[1]


def test_a_section_without_its_german_counterpart_is_refused(tmp_path):
    (tmp_path / "docs").mkdir()
    for page in (RUNBOOK, GERMAN):
        (tmp_path / "docs" / page.name).write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
    with (tmp_path / "docs" / "runbook.md").open("a", encoding="utf-8") as page:
        page.write("\n## One more\n\nText.\n")
    with pytest.raises(ValueError, match=r"runbook\.de\.md"):
        runbook.read_operations(tmp_path)
