"""The traps that `make doctor` finds in a configuration of nginx: each in one that is in it, none in ours."""

from dataclasses import replace

import pytest

from fleet import nginx as rendering
from fleet.compose import edge
from fleet.doctor import nginx
from fleet.doctor.configuration import parse
from tests.deploy.nginx_conf import GOOD


def found(text):
    return [finding.what for finding in nginx.findings(parse(text))]


def test_a_good_configuration_has_nothing():
    """Nor has ours, natively and in containers."""
    assert found(GOOD) == []
    assert found(rendering.render(edge.values(trusted_proxies=("10.0.0.0/8",)))) == []
    values = replace(edge.values(), descriptors=1024, connections=1024, inside_port=0)
    assert found(rendering.render(values)) == []


@pytest.mark.parametrize(
    ("good", "bad", "what"),
    [
        ("zone chat 64k;", "", "The upstream chat has least_conn without a zone."),
        ("fail_timeout=1s", "", "2 of 2 servers of the upstream chat are left alone for 10 s after one failure."),
        ("fail_timeout=1s", "fail_timeout=1m", "2 of 2 servers of the upstream chat are left alone for 60 s"),
        ("worker_rlimit_nofile 65536", "worker_rlimit_nofile 1024", "worker_rlimit_nofile 1024 is less than"),
        ("worker_connections 65536;", "", "worker_connections is 512."),
        ("worker_shutdown_timeout 10m;", "", "worker_shutdown_timeout is not set."),
        ("proxy_http_version 1.1;", "", "No location lets a connection be upgraded."),
        ("proxy_set_header Upgrade $http_upgrade;", "", "No location lets a connection be upgraded."),
        ("location / {", "location / { proxy_read_timeout 45s;", "location / has proxy_read_timeout 45s."),
        ("proxy_buffering off;", "", "location /events/ buffers what replicas send."),
        ("$remote_addr;", "$proxy_add_x_forwarded_for;", "X-Forwarded-For is set to $proxy_add_x_forwarded_for."),
    ],
)
def test_a_trap_of_nginx_is_found(good, bad, what):
    """The one that was put in, and no other; it says why with a figure, and what to type."""
    assert good in GOOD
    (finding,) = nginx.findings(parse(GOOD.replace(good, bad)))
    assert finding.what.startswith(what)
    assert finding.why
    assert finding.do
    assert str(finding).count("\n") == 2


def test_an_upstream_without_a_server_is_found():
    """Nginx would not start."""
    assert found("upstream x { }")[0] == "The upstream x has no server."


def test_a_header_of_its_own_hides_those_above():
    """A location with one proxy_set_header inherits none: its WebSockets do not get through."""
    text = GOOD.replace("{ proxy_pass", "{ proxy_set_header X-A b; proxy_pass")
    text = text.replace(
        "{ proxy_buffering off; proxy_pass", "{ proxy_buffering off; proxy_set_header X-A b; proxy_pass"
    )
    assert found(text) == ["No location lets a connection be upgraded."]


def test_a_location_for_sockets_that_upgrades_none_is_found():
    """Though another one does; by its name only, for an API wants no Upgrade."""
    shut = "location /ws/ { proxy_set_header X-A b; proxy_pass http://chat; }"
    assert found(GOOD.replace("server {", f"server {{ {shut}")) == ["location /ws/ lets no connection be upgraded."]
    assert found(GOOD.replace("server {", f"server {{ {shut.replace('/ws/', '/news/')}")) == []


def test_a_part_is_not_judged_for_what_stands_elsewhere():
    """A file of sites-enabled has no workers; nginx starts with none that lacks `events`."""
    assert found(GOOD.partition("http {")[2].rpartition("}")[0]) == []


@pytest.mark.parametrize(
    ("good", "odd"),
    [
        ("worker_connections 65536", "worker_connections ${CONNECTIONS}"),
        ("worker_rlimit_nofile 65536", "worker_rlimit_nofile 64k"),
        ("max_fails=1", "max_fails=${FAILS}"),
    ],
)
def test_a_number_that_only_a_template_tells_is_not_judged(good, odd):
    """Nor does it end the look."""
    assert found(GOOD.replace(good, odd)) == []


def test_included_files_are_looked_at(tmp_path):
    """As nginx does, by a path or a pattern, and not for ever where they name each other."""
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/a.conf").write_text("upstream chat { least_conn; server a; } include sites/*.conf;")
    tree = parse("http { include sites/*.conf; }", tmp_path)
    assert [each.what for each in nginx.findings(tree) if "zone" in each.what]
    assert all(upstream.parent.name in ("http", "") for upstream in tree.all("upstream"))
    absolute = parse(f"http {{ include {tmp_path}/sites/*.conf; }}", tmp_path)
    assert next(absolute.all("upstream")).value == "chat"


@pytest.mark.parametrize(("text", "expected"), [("60", 60), ("500ms", 0.5), ("1h 30m", 5400), ("1h30m", 5400)])
def test_times_are_read_as_nginx_does(text, expected):
    """Seconds, where no unit stands."""
    assert nginx.seconds(text) == expected
