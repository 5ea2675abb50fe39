"""A real Prometheus with its exporters beside a fleet: how they are started, and what Prometheus is asked."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.options import REPOSITORY
from fleet.packages import require

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = REPOSITORY / "deploy" / "prometheus"
RULES = FOLDER / "rules"
EXPORTERS = ("prometheus-redis-exporter", "prometheus-nginx-exporter")
PROGRAMS = ("prometheus", *EXPORTERS)
CERTIFICATE_PROBE = "prometheus-blackbox-exporter"
ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Observer:
    """Prometheus and both exporters as deploy/prometheus/README.md starts them, on ports of their own."""

    folder: Path
    """For configuration and data."""
    fleet: str
    """host:port of nginx."""
    redis: str
    """URL of Redis."""
    ports: tuple[int, int, int]
    """Of Prometheus, Redis' exporter and nginx' exporter."""
    rules: Path = RULES
    tls: str = "127.0.0.1:8443"
    """host:port at which nginx serves a certificate, if it does."""
    probe: str = "127.0.0.1:9115"
    """host:port of what looks at it, if it runs."""

    def write(self) -> None:
        """Write the configuration: as shipped, but for addresses, and asked each second."""
        text = (FOLDER / "prometheus.yml").read_text(encoding="utf-8")
        for theirs in (*self._addresses(), "rules/*.yml"):
            if theirs not in text:
                raise AssertionError(f"{theirs} does not stand in prometheus.yml any more")
        text = self.translated(text).replace("rules/*.yml", f"{self.rules}/*.yml")
        (self.folder / "prometheus.yml").write_text(text.replace("interval: 5s", "interval: 1s"), encoding="utf-8")

    def translated(self, text: str) -> str:
        """Return a text that names the shipped addresses with those that are here in their places."""
        for theirs, ours in self._addresses().items():
            text = text.replace(theirs, ours)
        return text

    def _addresses(self) -> dict[str, str]:
        _, redis, nginx = self.ports
        return {
            "127.0.0.1:8080": self.fleet,
            "127.0.0.1:9121": f"127.0.0.1:{redis}",
            "127.0.0.1:9113": f"127.0.0.1:{nginx}",
            "127.0.0.1:8443": self.tls,
            "127.0.0.1:9115": self.probe,
        }

    def commands(self) -> list[list[str]]:
        """Return the command lines of all three."""
        own, redis, nginx = (f"127.0.0.1:{port}" for port in self.ports)
        return [
            [require("prometheus-redis-exporter"), "-redis.addr", self.redis, "-web.listen-address", redis],
            [
                require("prometheus-nginx-exporter"), "-nginx.scrape-uri", f"http://{self.fleet}/ops/nginx",
                "-web.listen-address", nginx,
            ],
            [
                require("prometheus"), "--config.file", str(self.folder / "prometheus.yml"),
                "--storage.tsdb.path", str(self.folder / "data"), "--web.listen-address", own,
            ],
        ]  # fmt: skip


@dataclass(frozen=True)
class Alert:
    """One that is pending or fires."""

    name: str
    is_firing: bool
    summary: str
    runbook: str
    """Its path in the repository."""
    severity: str
    window: str
    """Of an objective's budget, where several rules have one name: `1h`; else empty."""

    def is_same(self, other: Alert) -> bool:
        """Return whether another is of the same rule: those of other windows look back for hours, and end as late."""
        return (self.name, self.window) == (other.name, other.window)


class Prometheus:
    """Asks a running Prometheus."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/"

    def get(self, path: str, **query: str) -> Any:
        """Return what it answers; None as long as it does not."""
        try:
            url = f"{self._url}{path}?{urllib.parse.urlencode(query)}"
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310  # our own, over HTTP
                return json.load(answer)["data"]
        except (OSError, ValueError):
            return None

    def value(self, query: str) -> dict[str, str]:
        """Return the samples of a query, by the replica or else the job."""
        found = (self.get("query", query=query) or {"result": []})["result"]
        return {each["metric"].get("replica") or each["metric"].get("job"): each["value"][1] for each in found}

    def alerts(self) -> list[Alert] | None:
        """Return all that are pending or fire; None as long as Prometheus does not answer."""
        found = self.get("alerts")
        return None if found is None else [_alert(each) for each in found["alerts"]]


def _alert(found: dict[str, Any]) -> Alert:
    labels, notes = found["labels"], found["annotations"]
    return Alert(
        name=labels["alertname"],
        is_firing=found["state"] == "firing",
        summary=notes["summary"],
        runbook=notes["runbook_url"],
        severity=labels["severity"],
        window=labels.get("window", ""),
    )
