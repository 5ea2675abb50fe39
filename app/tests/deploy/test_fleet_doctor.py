"""The traps that `make doctor` finds: each in a configuration that is in it, none in ours."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fleet import nginx as rendering
from fleet.compose import edge
from fleet.doctor import machine, manifests, nginx
from fleet.doctor.configuration import parse
from fleet.errors import UsageError
from fleet.options import REPOSITORY
from fleet.state import Run, Settings
from tests import certificates

GOOD = """
worker_rlimit_nofile 65536;
worker_shutdown_timeout 10m;
events { worker_connections 65536; }
http {
  upstream chat {
    zone chat 64k;
    least_conn;
    server "unix:/run/a b.sock" max_fails=1 fail_timeout=1s;
    server unix:/run/b.sock max_fails=1 fail_timeout=1s;  # { not a block; }
  }
  proxy_http_version 1.1;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection upgrade;
  proxy_set_header X-Forwarded-For $remote_addr;
  server {
    location / { proxy_pass http://chat; }
    location /events/ { proxy_buffering off; proxy_pass http://chat; }
  }
}
"""


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


# -- the machine -----------------------------------------------------------------------------------------


def test_a_machine_that_is_well_has_nothing(tmp_path):
    """With room on its disk, and sockets for their group alone."""
    (tmp_path / "sockets").mkdir(mode=0o700)
    (tmp_path / "sockets/web-1.sock").touch(mode=0o660)
    assert list(machine.of_sockets(tmp_path / "sockets")) == []
    assert list(machine.of_descriptors(65_536)) == []
    assert list(machine.of_proxies(("10.0.0.0/8", "192.0.2.7/32", "fd00::/8"))) == []
    assert list(machine.of_end("x.pem", 30)) == []


@pytest.mark.parametrize(
    ("line", "mode", "is_found"),
    [
        ("FANOUT_SECRET_KEY=abc", 0o644, True),
        ("FANOUT_REDIS_URLS=redis://app:abc@192.0.2.7", 0o604, True),
        ("FANOUT_DATABASE=postgresql://fanout:abc@db/fanout", 0o644, True),
        ("FANOUT_SECRET_KEY=abc", 0o640, False),
        ("FANOUT_DATABASE=postgresql://fanout@db:5432/fanout", 0o644, False),
        ("FANOUT_SECRET_KEY=", 0o644, False),
        ("FANOUT_LOG_LEVEL=DEBUG", 0o644, False),
    ],
)
def test_secrets_that_everybody_can_read_are_found(tmp_path, line, mode, is_found):
    """In the file of variables; one without secrets may be read."""
    path = tmp_path / ".env"
    assert list(machine.of_env_file(path)) == []
    path.write_text(f"{line}\n")
    path.chmod(mode)
    assert [finding.do for finding in machine.of_env_file(path)] == [f"chmod 600 {path}"] * is_found


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "0.0.0.0/1"])
def test_trusting_everybody_is_found(network):
    """Then a client names its own address."""
    (finding,) = machine.of_proxies((network,))
    assert network in finding.what


def test_small_kernel_limits_are_found(monkeypatch, tmp_path):
    """A short backlog, and a kernel that promises no memory."""
    for name, value in (("SOMAXCONN", "128"), ("OVERCOMMIT", "2")):
        (tmp_path / name).write_text(f"{value}\n")
        monkeypatch.setattr(machine, name, tmp_path / name)
    told = [str(finding) for finding in machine.findings(Run(tmp_path / "run"), Settings(), 1024)]
    assert "128 handshakes" in told[0]
    assert "88 %" in told[0]
    assert "overcommit" in told[1]
    assert "1,024 files" in told[2]


def test_leftovers_among_the_sockets_are_found(tmp_path):
    """A lock file of a plain Daphne, and a socket that everybody may use."""
    tmp_path.chmod(0o755)
    (tmp_path / "web-1.sock.lock").touch()
    (tmp_path / "web-2.sock").touch()
    (tmp_path / "web-2.sock").chmod(0o666)
    lock, wide = machine.of_sockets(tmp_path)
    assert lock.do == f"rm {tmp_path}/web-1.sock.lock"
    assert "mode 666" in wide.what


@pytest.mark.parametrize(("days", "said"), [(20, "ends in 20 days"), (-3, "has ended 3 days ago")])
def test_a_certificate_that_ends_soon_is_found(days, said):
    """While there is time to renew it."""
    (finding,) = machine.of_end("x.pem", days)
    assert said in finding.what


def test_the_files_of_tls_are_looked_at(tmp_path):
    """When the certificate ends, and who may read its key."""
    certificate, key = map(Path, certificates.write(tmp_path))
    settings = Settings(tls_port=8443, tls_certificate=str(certificate), tls_key=str(key))
    key.chmod(0o644)
    told = [finding.what for finding in machine.findings(Run(tmp_path), settings, 65_536)]
    assert any(f"can read the key {key}" in what for what in told)
    key.chmod(0o600)
    told = [finding.what for finding in machine.findings(Run(tmp_path), settings, 65_536)]
    assert not any("the key" in what for what in told)


# -- the verb ----------------------------------------------------------------------------------------------


def test_a_fleet_that_runs_is_well(fleet):
    """Machine, nginx, settings and Redis: nothing that would fail; nothing is changed by looking."""
    before = fleet.settings()
    done = fleet.make("doctor", check=False)
    assert "nginx: nothing found." in done.stdout
    assert "Settings and Redis: nothing found." in done.stdout
    assert fleet.settings() == before


def test_a_configuration_of_ones_own_is_looked_at(unstarted, tmp_path):
    """It alone; a file that is not there is told in a sentence."""
    file = tmp_path / "nginx.conf"
    file.write_text(GOOD.replace("zone chat 64k;", ""))
    done = unstarted.make("doctor", check=False, ARGS=str(file))
    assert (done.returncode, done.stdout.count("  why  ")) == (2, 1)
    file.write_text(GOOD)
    assert unstarted.make("doctor", ARGS=str(file)).stdout == f"{file}: nothing found.\n"
    for mode in ("compose", "k8s"):  # whatever runs here, and whether an engine or a cluster answers
        assert unstarted.make("doctor", ARGS=str(file), MODE=mode).stdout == f"{file}: nothing found.\n"
    file.write_bytes(bytes(range(256)))
    done = unstarted.make("doctor", check=False, ARGS=str(file))
    assert done.stderr.startswith(f"{file} is no configuration of nginx: none of events, http, server,")
    done = unstarted.make("doctor", check=False, ARGS="/nowhere.conf")
    assert done.stderr.startswith("/nowhere.conf cannot be read (No such file or directory): name a configuration")


def test_before_the_first_start_it_says_what_to_type(unstarted):
    """And makes no folder."""
    done = unstarted.make("doctor", check=False)
    assert "redis.sock does not answer: Redis can't be reached: Error 2 connecting" in done.stdout
    assert "do   make up" in done.stdout
    assert not unstarted.run_dir.exists()


def test_the_repository_is_the_one_that_is_looked_at():
    """The templates that are judged above are those that the fleet renders."""
    assert rendering.TEMPLATES == REPOSITORY / "nginx"


# -- Compose files and manifests -------------------------------------------------------------------------------

COMPOSE = """
services:
  web: {command: python -m server --socket-dir /run/fanout, stop_grace_period: 40s}
  redis: {command: [redis-server, --maxmemory-policy, noeviction, --appendonly, "yes"]}
"""
POD = """
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      terminationGracePeriodSeconds: 60
      containers:
        - name: web-1
          command: [python, -m, server]
          livenessProbe: {exec: {command: [python, -m, ops.probe, --alive]}, periodSeconds: 5}
          readinessProbe: {exec: {command: [python, -m, ops.probe]}}
          lifecycle: {preStop: {exec: {command: [sleep, "5"]}}}
---
kind: Ingress
metadata: {name: web, annotations: {example.org/name: x}}
"""


def wrong(text):
    """What is found in a file's text."""
    return [finding.what for finding in manifests.findings(list(yaml.safe_load_all(text)))]


def test_our_own_compose_file_and_manifests_have_nothing():
    """Nor has a good one of somebody else."""
    for path in (REPOSITORY / "compose.yaml", REPOSITORY / "k8s"):
        assert list(manifests.of_path(path)) == []
    assert wrong(COMPOSE) == wrong(POD) == []


@pytest.mark.parametrize(
    ("text", "good", "bad", "what"),
    [
        (COMPOSE, ", stop_grace_period: 40s", "", "The service web has 10 s to end."),
        (COMPOSE, "40s", "20s", "The service web has 20 s to end."),
        (COMPOSE, "python -m server --socket-dir /run/fanout", "daphne -u /run/x.sock app:app",
         "The service web starts Daphne with -u."),
        (COMPOSE, "python -m server --socket-dir /run/fanout", "sh -c 'exec daphne --unix-socket=/x app:app'",
         "The service web starts Daphne with -u."),
        (COMPOSE, "python -m server --socket-dir /run/fanout", "daphne --proxy-headers app:app",
         "The service web starts Daphne with --proxy-headers."),
        (COMPOSE, "python -m server --socket-dir /run/fanout", "/venv/bin/daphne -p 8000 app:app",
         "The service web runs Daphne as it is."),
        (COMPOSE, "python -m server --socket-dir /run/fanout", "python manage.py runworker mail",
         "The service web runs Channels' runworker."),
        (COMPOSE, "noeviction", "allkeys-lru", "The service redis starts Redis with --maxmemory-policy allkeys-lru."),
        (COMPOSE, '"yes"', '"no"', "The service redis starts Redis with --appendonly no."),
        (COMPOSE, ', --appendonly, "yes"', "", "The service redis starts Redis without --appendonly."),
        (COMPOSE, '{command: [redis-server, --maxmemory-policy, noeviction, --appendonly, "yes"]}',
         "{image: redis:7.2-bookworm}", "The service redis starts Redis without --appendonly."),
        (COMPOSE, "command: [redis-server, --maxmemory-policy, noeviction",
         "image: redis, command: [--maxmemory-policy, volatile-lru",
         "The service redis starts Redis with --maxmemory-policy volatile-lru."),
        (POD, "terminationGracePeriodSeconds: 60", "hostname: x",
         "The container web-1 of Deployment/web has 30 s to end."),
        (POD, "preStop", "postStart", "The container web-1 of Deployment/web has no preStop."),
        (POD, ", --alive", "",
         "The container web-1 of Deployment/web is asked the same for liveness as for readiness."),
        (POD, "example.org/name", "nginx.ingress.kubernetes.io/affinity",
         "Ingress/web has annotations of the community's ingress-nginx."),
    ],
)  # fmt: skip
def test_a_trap_of_a_manifest_is_found(text, good, bad, what):
    """Each named by who has it, and nothing else of that kind."""
    assert good in text
    assert what in wrong(text.replace(good, bad))


@pytest.mark.parametrize(
    "text",
    [
        "services: {web: x, db: null, api: {command: [1], stop_grace_period: $GRACE}}",
        "{kind: Deployment, metadata: null, spec: {template: null}}",
        "{kind: Deployment, spec: {template: {spec: {containers: null, terminationGracePeriodSeconds: null}}}}",
        "{kind: CronJob, metadata: {name: x}, spec: {jobTemplate: null}}",
        "{kind: Pod, spec: {containers: [null, {name: x, lifecycle: null}]}}",
    ],
)
def test_what_is_left_empty_is_no_trap(text):
    """Nor does what an engine would refuse end the look."""
    assert wrong(text) == []


def test_a_list_is_looked_through():
    """As `kubectl get --output yaml` writes one."""
    pod, ingress = yaml.safe_load_all(POD.replace("preStop", "postStart").replace("example.org/", manifests.RETIRED))
    told = [each.what for each in manifests.findings([{"kind": "List", "items": [pod, ingress]}])]
    assert told == [
        "The container web-1 of Deployment/web has no preStop.",
        "Ingress/web has annotations of the community's ingress-nginx.",
    ]


def test_where_nothing_is_nothing_passes_for_well(tmp_path):
    """Not a folder whose manifests lie deeper, nor a file of something else."""
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper/web.yaml").write_text(POD)
    with pytest.raises(UsageError, match="folders in it are not looked into: name them"):
        list(manifests.of_path(tmp_path))
    (tmp_path / "values.yaml").write_text("replicas: 3")
    with pytest.raises(UsageError, match=r"There is no Compose file and no manifest in .*values\.yaml\."):
        list(manifests.of_path(tmp_path / "values.yaml"))


def test_a_kustomization_among_manifests_is_found(tmp_path):
    """`kubectl apply -f` would stumble over it."""
    (tmp_path / "kustomization.yaml").write_text("kind: Kustomization")
    (tmp_path / "web.yaml").write_text(POD)
    (finding,) = manifests.of_path(tmp_path)
    assert finding.what == f"{tmp_path}/kustomization.yaml lies among the manifests."


def test_what_is_no_yaml_is_told(tmp_path):
    """By a sentence with the file's name."""
    path = tmp_path / "broken.yaml"
    path.write_text("a: [")
    with pytest.raises(UsageError, match=r"broken\.yaml is no YAML that can be read"):
        list(manifests.of_path(path))
