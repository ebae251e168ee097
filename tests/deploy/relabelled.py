"""What Prometheus makes of what Flink's reporter tells, by the rules of deploy/prometheus/prometheus.yaml."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import yaml

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"
_SAMPLE = re.compile(r"^(flink_\S*_tidemark_[^{\s]+)(?:\{.*\})? (\S+)$", re.MULTILINE)


def relabelled(name: str) -> dict[str, str]:
    """What Prometheus makes of a metric's name by the rules for Flink."""
    scrapes = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())["scrape_configs"]
    [flink] = [one for one in scrapes if one["job_name"] == "flink"]
    labels = {"__name__": name}
    for rule in flink["metric_relabel_configs"]:
        found = re.fullmatch(rule["regex"], ";".join(labels.get(one, "") for one in rule["source_labels"]))
        if found and rule.get("action") == "drop":
            return {}
        if found:
            replacement = re.sub(r"\$\{(\d)\}", r"\\\1", rule.get("replacement", "${1}"))
            labels[rule["target_label"]] = found.expand(replacement)
    return labels


def relabelled_samples(told: str) -> Counter[str]:
    """What a Flink cluster has counted of Tidemark's, summed over its operators: `name,label=value` -> number."""
    found: Counter[str] = Counter()
    for name, value in _SAMPLE.findall(told):
        labels = relabelled(name)
        if labels:
            key = labels.pop("__name__") + "".join(f",{label}={named}" for label, named in sorted(labels.items()))
            found[key] += int(float(value))
    return found
