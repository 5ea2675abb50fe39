"""gixy on nginx' configuration, as it is rendered for plain processes, for containers with TLS alone, and for a pod."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from fleet import nginx
from fleet.audit import tools
from fleet.compose import edge as container
from fleet.errors import FleetError
from fleet.kubernetes import edge as pod

EXCEPTIONS = {
    "host_spoofing": "an origin is compared with the Host as the client wrote it, with its port, which $host lacks; "
    "Django alone decides which hosts it answers (FANOUT_ALLOWED_HOSTS)",
    "proxy_pass_normalized": "the path is one of four words that the location's own pattern has matched",
    "status_page_exposed": "who is not on this machine gets 403 by $is_outside (snippets/operations.conf), and no line",
    "worker_rlimit_nofile_vs_connections": "in a container the engine has the say (snippets/descriptors.conf)",
}
"""Checks that are not followed, and why."""


def configurations() -> dict[str, str]:
    """Return each of nginx' configurations that is looked at."""
    tls = nginx.Tls(container.TLS_PORT, "/certificate.pem", "/key.pem", only_at=":8443", hsts="max-age=1")
    # What a pod includes is made while it starts.
    in_a_pod = nginx.render(pod.values()).replace("include ", "# include ")
    return {"native": nginx.render(container.values()), "tls": nginx.render(container.values(tls=tls)), "pod": in_a_pod}


def problems() -> list[str]:
    """Return what is found. Raise FleetError when the tool cannot be had."""
    with tempfile.TemporaryDirectory(prefix="gixy-") as name:
        paths = [Path(name, f"{kind}.conf") for kind in configurations()]
        for path, text in zip(paths, configurations().values(), strict=True):
            path.write_text(text, encoding="utf-8")
        return [
            f"nginx ({Path(each['path']).stem}): {each['plugin']}: {each['summary']} {each.get('reason', '')}".strip()
            for each in findings(paths)
            if each["plugin"] not in EXCEPTIONS
        ]


def findings(paths: list[Path]) -> list[dict[str, Any]]:
    """Return all that gixy says about files."""
    done = tools.run([tools.program("gixy"), "--format", "json", *map(str, paths)])
    try:
        return list(json.loads(done.stdout))
    except ValueError:
        raise FleetError(f"gixy gave no report: {done.stderr.strip()[-200:]}") from None
