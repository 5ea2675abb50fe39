"""`python -m ops.secrets NAME/KEY=BYTES …` fills in what is missing in Secrets of its namespace, from inside a pod.

What is there stays, whoever put it there. The account of the pod may get and patch these Secrets, and nothing else.
Standard library only.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import secrets
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SECONDS = 10.0
"""For an answer of the API server; the Job tries again."""
TRIES = 5
"""When somebody else changes the Secret meanwhile."""
MERGE = "application/merge-patch+json"
WISH = re.compile(r"(?P<name>[a-z0-9.-]+)/(?P<key>[\w.-]+)=(?P<size>[1-9]\d{1,2})")
FAILED, MISUSED = 1, 2


class ClusterError(Exception):
    """The API server does not do it; the text says what and why."""


@dataclass(frozen=True)
class Wish:
    """A key that a Secret has to have."""

    name: str
    key: str
    size: int
    """Random bytes, if it is to be made."""


def wish(text: str) -> Wish:
    """Return what `NAME/KEY=BYTES` asks for. Raise ValueError."""
    match = WISH.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no NAME/KEY=BYTES: for example redis-password/password=32.")
    return Wish(match["name"], match["key"], int(match["size"]))


class Cluster:
    """The API server, as a pod knows it."""

    def __init__(self, account: Path = ACCOUNT, environ: Mapping[str, str] = os.environ) -> None:
        try:
            host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
            self.namespace = (account / "namespace").read_text().strip()
            self._token = (account / "token").read_text().strip()
            self._open: Callable[[], http.client.HTTPSConnection] = lambda: http.client.HTTPSConnection(
                host, int(port), timeout=SECONDS, context=ssl.create_default_context(cafile=str(account / "ca.crt"))
            )
        except (KeyError, OSError) as error:
            raise ClusterError(f"This is no pod with a service account: {error} is missing.") from None

    def get(self, name: str) -> dict[str, Any]:
        """Return a Secret. Raise ClusterError."""
        status, body = self._ask("GET", name)
        return self._judged(status, body, name)

    def patch(self, name: str, change: Mapping[str, Any]) -> bool:
        """Merge a change into a Secret; return whether it still was the one the change names. Raise ClusterError."""
        status, body = self._ask("PATCH", name, json.dumps(change))
        if status == http.HTTPStatus.CONFLICT:
            return False
        self._judged(status, body, name)
        return True

    def _judged(self, status: int, body: dict[str, Any], name: str) -> dict[str, Any]:
        if status == http.HTTPStatus.OK:
            return body
        said = body.get("message", f"status {status}")
        raise ClusterError(f"The secret {name} of the namespace {self.namespace} can't be had: {said}.")

    def _ask(self, method: str, name: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", "Content-Type": MERGE}
        link = self._open()
        try:
            link.request(method, f"/api/v1/namespaces/{self.namespace}/secrets/{name}", body, headers)
            answer = link.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ClusterError(f"The API server does not answer as it should: {error}.") from None
        finally:
            link.close()


def fill(cluster: Cluster, name: str, wishes: Sequence[Wish]) -> list[str]:
    """Make the keys that a Secret lacks, or has empty; return their names. Raise ClusterError."""
    for _ in range(TRIES):
        secret = cluster.get(name)
        data = secret.get("data") or {}
        missing = [wanted for wanted in wishes if not base64.b64decode(data.get(wanted.key) or "").strip()]
        if not missing:
            return []
        made = {
            wanted.key: base64.b64encode(secrets.token_urlsafe(wanted.size).encode()).decode() for wanted in missing
        }
        # The version makes it a conflict when somebody else was first: then theirs stays.
        version = secret["metadata"]["resourceVersion"]
        if cluster.patch(name, {"metadata": {"resourceVersion": version}, "data": made}):
            return list(made)
    raise ClusterError(f"The secret {name} is changed all the time by somebody else.")


def main(arguments: Sequence[str]) -> int:
    """Fill each Secret and say what was made; the exit code says whether all are whole now."""
    try:
        wishes = [wish(text) for text in arguments]
        cluster = Cluster()
        for name in dict.fromkeys(wanted.name for wanted in wishes):
            made = fill(cluster, name, [wanted for wanted in wishes if wanted.name == name])
            sys.stdout.write(f"{name}: {'made ' + ', '.join(made) if made else 'is there'}\n")
    except (ClusterError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return MISUSED if isinstance(error, ValueError) else FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
