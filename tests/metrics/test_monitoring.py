"""Prometheus, its exporters and its rules, for real: what they are told, and what they answer."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from helpers.pages import Runner, blocks
from helpers.project import PROJECT, poll, run_program
from helpers.prometheus import ask, free_port, get, program_path, running
from lead_protection.runbook import anchor

MONITORING = PROJECT / "monitoring"
ALERTS = MONITORING / "alerts.yml"
RULES = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
WAYS = ("lead-protection-postgres-exporter", "lead-protection-sql-exporter", "lead-protection-textfile")

# They differ from scrape to scrape.
MOVING = {
    "lead_database_time_seconds",
    "lead_metrics_age_seconds",
    "lead_outbox_lag_seconds",
    "lead_reminder_oldest_due_seconds",
}


def promtool(*args: str, cwd: Path = MONITORING) -> str:
    """Run promtool, which must find nothing wrong, and return what it says."""
    done = run_program([program_path("promtool"), *args], cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# --- the files ---


@pytest.mark.slow("Prometheus's programs")
def test_promtool_accepts_configuration_and_rules():
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")
    assert f"{len(RULES)} rules found" in promtool("check", "rules", "alerts.yml")


@pytest.mark.thorough(
    "half a minute of the unit tests of alerts",
    by_day="metrics/test_monitoring.py::test_each_alert_has_a_unit_test"
    " metrics/test_monitoring.py::test_alerts_fire_for_real_when_the_database_is_in_that_state"
    " metrics/test_monitoring.py::test_prometheus_gets_every_series_in_each_of_three_ways_and_answers_every_question",
)
def test_each_alert_fires_in_its_failure_and_is_silent_otherwise():
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


def test_each_alert_has_a_unit_test():
    tests = (MONITORING / "alerts_test.yml").read_text()
    assert [rule["alert"] for rule in RULES if f'alertname="{rule["alert"]}", alertstate="firing"' not in tests
            and f"alertname: {rule['alert']}\n" not in tests] == []  # fmt: skip


def own_collectors() -> list[str]:
    """What the exporter would collect by itself; their names differ between its versions."""
    done = run_program([program_path("prometheus-postgres-exporter"), "--help"])
    flags = re.split(r"(?m)^ +--", done.stdout + done.stderr)
    named = (re.match(r"(?:\[no-\])?(collector\.\w+)\s.*default:\s+enabled", flag, re.DOTALL) for flag in flags)
    return [match[1] for match in named if match]


@pytest.mark.parametrize(("spoilt", "verdict"), [("vector(1) < 0", "exp"), ("vector(1)", "got")])
@pytest.mark.thorough(
    "a test of the unit tests of alerts",
    by_day="metrics/test_monitoring.py::test_alerts_fire_for_real_when_the_database_is_in_that_state",
)
def test_alerts_that_never_fire_or_always_do_fail_their_unit_tests(spoilt, verdict, tmp_path):
    """The unit tests look at each alert, in both ways."""
    unit_tests = yaml.safe_load((MONITORING / "alerts_test.yml").read_text())
    # To evaluate alerts that all fire takes long, and no minute matters: a value is looked for in the 5 minutes before.
    unit_tests["evaluation_interval"] = "4m"
    (tmp_path / "alerts_test.yml").write_text(yaml.safe_dump(unit_tests))
    rules = yaml.safe_load(ALERTS.read_text())
    for rule in rules["groups"][0]["rules"]:
        rule["expr"] = spoilt
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(rules))
    done = run_program([program_path("promtool"), "test", "rules", "alerts_test.yml"], cwd=tmp_path)
    assert done.returncode != 0
    findings = [
        line for line in (done.stdout + done.stderr).splitlines() if f"{verdict}:" in line or "alertname:" in line
    ]
    assert [rule["alert"] for rule in RULES if rule["alert"] not in "\n".join(findings)] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_says_what_is_wrong_and_leads_to_a_section_of_the_runbook(rule):
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    base, _, section = rule["annotations"]["runbook_url"].partition("docs/runbook.md#")
    assert base == "{{ $externalLabels.runbook_base }}"
    headings = re.findall(r"^## (.+)$", (PROJECT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert section in map(anchor, headings)


def test_every_metric_of_rules_and_dashboard_is_defined(db):
    defined = {name for (name,) in db.execute("SELECT metric FROM lead_protection.metric_definitions")}
    expressions = " ".join([*(rule["expr"] for rule in RULES), *dashboard_expressions()])
    used = {
        re.sub(r"_seconds_(bucket|count|sum)$", "_seconds", name) for name in re.findall(r"\blead_\w+", expressions)
    }
    assert used - defined == set()
    assert defined - used == set(), "what nobody looks at need not be measured"


def dashboard_expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


# --- for real ---


@pytest.fixture
def monitored(sample: psycopg.Connection, database_url: str, cron) -> Iterator[str]:
    """The URL, as a role with the rights of a monitor, of this test's database with the demo's sample at work."""
    sample.execute("SELECT lead_protection.register_event_consumer('mailer')")
    sample.execute("CALL lead_protection.run_protection_pipeline()")
    sample.execute("CALL lead_protection.run_nightly_maintenance()")
    sample.execute("CREATE ROLE prometheus LOGIN IN ROLE lead_protection_monitor, pg_monitor")
    yield database_url.replace("//postgres@", "//prometheus@")
    sample.execute("DROP ROLE prometheus")


@pytest.fixture
def prometheus(monitored: str, server, tmp_path: Path) -> Iterator[str]:
    """The address of a Prometheus that scrapes this test's database in all three ways of monitoring/prometheus.yml."""
    ports = {way: free_port() for way in WAYS}
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(ALERTS)]
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))

    sql_exporter = yaml.safe_load((MONITORING / "sql-exporter.yaml").read_text())
    sql_exporter["jobs"][0] |= {
        "interval": "1s",
        "connections": [monitored.replace("postgresql:", "postgres:") + "&sslmode=disable"],
    }
    (tmp_path / "sql-exporter.yaml").write_text(yaml.safe_dump(sql_exporter))

    textfiles = tmp_path / "textfiles"
    textfiles.mkdir()
    run_program([str(MONITORING / "textfile-collector"), str(textfiles), monitored], env=server.env, check=True)
    assert [path.name for path in textfiles.iterdir()] == ["lead_protection.prom"]

    listen = free_port()
    with (
        running(
            "prometheus-postgres-exporter",
            "--disable-default-metrics",
            "--disable-settings-metrics",
            *(f"--no-{name}" for name in own_collectors()),
            f"--extend.query-path={MONITORING / 'postgres-exporter.yaml'}",
            f"--web.listen-address=127.0.0.1:{ports[WAYS[0]]}",
            port=ports[WAYS[0]],
            env={"DATA_SOURCE_NAME": monitored + "&sslmode=disable"},
        ),
        running(
            "prometheus-sql-exporter",
            f"-config.file={tmp_path / 'sql-exporter.yaml'}",
            f"-web.listen-address=127.0.0.1:{ports[WAYS[1]]}",
            port=ports[WAYS[1]],
        ),
        running(
            "prometheus-node-exporter",
            "--collector.disable-defaults",
            "--collector.textfile",
            f"--collector.textfile.directory={textfiles}",
            f"--web.listen-address=127.0.0.1:{ports[WAYS[2]]}",
            port=ports[WAYS[2]],
        ),
        running(
            "prometheus",
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'series'}",
            f"--web.listen-address=127.0.0.1:{listen}",
            port=listen,
            ready="/-/ready",
        ) as address,
    ):
        poll(lambda: len(ask(address, "up == 1")) == len(WAYS), timeout=30, what="all three are scraped")
        instances = 'count by (instance) ({__name__=~"lead_.+"})'
        poll(lambda: len(ask(address, instances)) == len(WAYS), timeout=30, what="all three have our series")
        # What a rate needs.
        enough = "count_over_time(lead_reminder_sent_total[1m]) >= 3"
        poll(lambda: len(ask(address, enough)) == len(WAYS), timeout=60, what="three scrapes")
        yield address


def series(address: str, port: str) -> dict[tuple, float]:
    """What Prometheus has of one target, by name and the labels that are ours."""
    found = {}
    for one in ask(address, f'{{__name__=~"lead_.+", instance="127.0.0.1:{port}"}}'):
        labels = {name: value for name, value in one["metric"].items() if name != "instance"}
        # honor_labels: where the series has no job of its own, it is that of the scrape.
        if labels.get("job") in WAYS:
            del labels["job"]
        if "le" in labels:
            labels["le"] = float(labels["le"])
        found[tuple(sorted(labels.items()))] = float(one["value"][1])
    return found


@pytest.mark.slow("Prometheus's programs")
def test_prometheus_gets_every_series_in_each_of_three_ways_and_answers_every_question(prometheus, db):
    expected = {}
    for sample, labels, value in db.execute("SELECT sample, labels, value FROM lead_protection.v_metrics"):
        labels = labels | ({"le": float(labels["le"])} if "le" in labels else {})
        expected[tuple(sorted((labels | {"__name__": sample}).items()))] = value
    ports = {
        one["metric"]["job"]: one["metric"]["instance"].split(":")[1]
        for one in ask(prometheus, "up")
    }  # fmt: skip
    for way in WAYS:
        got = series(prometheus, ports[way])
        assert got.keys() == expected.keys(), way
        still = {key for key in expected if dict(key)["__name__"] not in MOVING}
        assert {key: got[key] for key in still} == pytest.approx({key: expected[key] for key in still}), way

    for expression in dashboard_expressions():
        query = expression.replace("$instance", ".*").replace("$__rate_interval", "1m")
        assert ask(prometheus, query), expression

    # All is well in the sample, so each alert is silent; what it looks at is there.
    rules = json.loads(get(prometheus, "/api/v1/rules"))["data"]["groups"][0]["rules"]
    assert [rule["name"] for rule in rules] == [rule["alert"] for rule in RULES]
    poll(
        lambda: all(
            rule["health"] == "ok"
            for rule in json.loads(get(prometheus, "/api/v1/rules"))["data"]["groups"][0]["rules"]
        ),
        what="all rules were evaluated",
    )
    assert ask(prometheus, "ALERTS") == []
    for name in set(re.findall(r"\blead_\w+", " ".join(rule["expr"] for rule in RULES))):
        assert len(ask(prometheus, f"count by (instance) ({name})")) == len(WAYS), name


@pytest.mark.slow("Prometheus's programs")
def test_an_exporter_and_the_text_agree_about_type_and_help(db):
    """The help of the exporter's file is a copy: it must not go its own way."""
    queries = yaml.safe_load((MONITORING / "postgres-exporter.yaml").read_text())
    exported = {
        f"{query}_{column}": (details["usage"].lower(), details["description"])
        for query, definition in queries.items()
        for metric in definition["metrics"]
        for column, details in metric.items()
        if details["usage"] != "LABEL"
    }
    defined = db.execute("SELECT metric, type, help FROM lead_protection.metric_definitions").fetchall()
    assert exported == {metric: (kind, text) for metric, kind, text in defined}


@pytest.mark.slow("Prometheus's programs")
def test_alerts_fire_for_real_when_the_database_is_in_that_state(prometheus, db):
    """From the database through an exporter and the rules to the alert, runbook and all."""
    db.execute("UPDATE lead_protection.protection_policies SET is_default = false")
    db.execute(
        "INSERT INTO lead_protection.job_runs (job_name, started_at, backend_pid)"
        " SELECT 'lead-protection-reminders', now() - INTERVAL '1 hour', pg_backend_pid()"
    )
    db.execute("UPDATE lead_protection.event_consumers SET attempt_limit = 1")
    db.execute("SELECT lead_protection.replay_events('mailer', '2000-01-01')")
    db.execute(
        "SELECT lead_protection.fail_events('mailer', lease_token, ARRAY[id], 'x')"
        " FROM lead_protection.claim_events('mailer', 3)"
    )
    expected = {"LeadDefaultPolicyMissing", "LeadJobHanging", "LeadDeadLetters"}
    for_postgres = 'ALERTS{instance=~".+"}'
    poll(
        lambda: expected <= {one["metric"]["alertname"] for one in ask(prometheus, for_postgres)},
        timeout=30,
        what="the alerts are pending or firing",
    )


def test_the_textfile_is_replaced_as_a_whole_and_kept_when_the_database_is_gone(monitored, server, tmp_path):
    collector = [str(MONITORING / "textfile-collector"), str(tmp_path)]
    assert run_program([*collector, monitored], env=server.env).returncode == 0
    written = (tmp_path / "lead_protection.prom").read_text()
    assert written.startswith("# HELP lead_clock_drift ") and written.endswith("\n")
    failed = run_program([*collector, "postgresql:///nowhere?host=/nonexistent"], env=server.env)
    assert failed.returncode != 0 and "nonexistent" in failed.stderr
    assert (tmp_path / "lead_protection.prom").read_text() == written
    assert [path.name for path in tmp_path.iterdir()] == ["lead_protection.prom"]


def test_the_page_about_monitoring_runs_from_top_to_bottom(sample, server, cron):
    sample.execute("CALL lead_protection.run_protection_pipeline()")
    page = PROJECT / "docs" / "monitoring.md"
    runner = Runner(server, sample.info.dbname, "lead_protection_monitor")
    try:
        (sla,), reactivations = runner.run_all(blocks(page)).take("sla", "reactivations")
    finally:
        sample.execute("DROP ROLE IF EXISTS prometheus")
    assert sla[:6] == ["52", "52", "0", "0", "0", "100.00"], "as the page shows"
    (reactivated,) = sample.execute(
        "SELECT count(*) FROM lead_protection.outbox_events WHERE type = 'lead.protection.reactivated'"
    ).fetchone()
    assert sum(int(row[1]) for row in reactivations) == reactivated > 0
    alerts = re.findall(r"^\| `(Lead\w+)` \| .+ \| (\w+) \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert alerts == [(rule["alert"], rule["labels"]["severity"]) for rule in RULES]
