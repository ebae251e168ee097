"""The queries of the dashboard and the alerts are PromQL, and the rules are rules: read by Prometheus's own code."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.dashboard import dashboard
from services.building import build_artifact, go_module

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
CHECKER = go_module("promql", ".", "bin/promql-check")
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
COUNTER = 'dataflow_googleapis_com:job_user_counter{job_name="shop"'


@pytest.fixture(scope="module")
def checker() -> Path:
    return build_artifact(CHECKER, ROOT / ".services")


def check(checker: Path, queries: list[str], *files: Path) -> tuple[int, str]:
    lines = "".join(f"{query}\n" for query in queries)
    done = subprocess.run([checker, *files], input=lines, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def of_dashboard() -> list[str]:
    targets = [target for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    return [target["expr"].replace("$__rate_interval", "5m") for target in targets]  # Grafana puts a duration there


def of_terraform() -> list[str]:
    text = (ROOT / "deploy" / "terraform" / "monitoring.tf").read_text()
    found = re.findall(r'query\s+= "(.*)"$', text, re.MULTILINE)
    return [query.replace("${local.counter}", COUNTER).replace('\\"', '"') for query in found]


def test_every_query_is_read(checker: Path) -> None:
    queries = [*of_dashboard(), *of_terraform()]
    assert len(queries) > 20
    assert check(checker, queries) == (0, "")


def test_the_rules_are_read_with_their_texts(checker: Path) -> None:
    assert check(checker, [], ALERTS) == (0, "")


def test_what_is_wrong_is_said(checker: Path, tmp_path: Path) -> None:
    status, said = check(checker, ["sum(rate(x[5m])"])
    assert (status, "unclosed left parenthesis" in said) == (1, True)
    rules = yaml.safe_load(ALERTS.read_text())
    rules["groups"][0]["rules"][0]["annotations"]["summary"] = "{{ $labels.source"
    wrong = tmp_path / "alerts.yaml"
    wrong.write_text(yaml.safe_dump(rules))
    assert check(checker, [], wrong)[0] == 1
