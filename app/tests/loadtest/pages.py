"""Locust's web interface, as a browser asks it."""

import contextlib
import json
import urllib.parse
import urllib.request

from tests.loadtest.locusts import PATIENCE


class Page:
    """Locust's web interface."""

    def __init__(self, port):
        self._url = f"http://127.0.0.1:{port}"

    def get(self, path, **form):
        """Return what a page says; with a form it is posted."""
        data = urllib.parse.urlencode(form).encode() if form else None
        with urllib.request.urlopen(self._url + path, data, PATIENCE) as answer:  # noqa: S310 - http, above
            return answer.read().decode()

    def answers(self):
        """Whether it is there."""
        with contextlib.suppress(OSError):
            return self.get("/")

    @property
    def stats(self):
        """What the charts are drawn from."""
        return json.loads(self.get("/stats/requests"))

    def is_under_way(self, users):
        """Whether so many users run and have received something: a page may be some seconds old."""
        stats = self.stats
        received = sum(row["num_requests"] for row in stats["stats"] if row["name"] == "publish → receive")
        return stats["state"] == "running" and stats["user_count"] == users and received > 300
