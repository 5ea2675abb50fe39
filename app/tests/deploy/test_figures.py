"""The figures of the documents are those of the code; app/tests/fanout/test_protocol_text.py looks at PROTOCOL.md."""

import re

import pytest
import yaml

from bench import cli as bench
from bench import machine
from bench.figure import BUSY
from bench.parts import connect, delivery, edge, sockets, storm
from demos.accounts import attempts, hashing
from demos.chat.policy import MESSAGE_LIMIT, ChatPolicy
from demos.dashboard.meter import TICK
from demos.document import backlog as documents
from demos.document.policy import TEXT_LIMIT, DocumentPolicy
from demos.game import arena
from drills.drill import FASTER
from fanout import history, worker
from fanout.accounts import connected, rows, tickets, users
from fanout.durable import follower, tail
from fanout.http import events, shelf
from fanout.layers import pipeline
from fanout.limits import bounds, counted
from fanout.policy import Policy
from fleet import certificates, configuration, soak, state, supervision
from fleet.doctor.machine import RENEWED_DAYS
from fleet.kubernetes.doctor import OLDEST
from fleet.kubernetes.static.agreement import PROPAGATION_SECONDS
from fleet.nginx import HSTS_HERE
from fleet.options import REPOSITORY
from ops import capacity, logs, proof, readiness
from server import again, backlog, channel, chronicle, slot
from server.sockets import ANSWERS_LIMIT

KIB, MIB = 1024, 1024 * 1024
MINUTE, DAY = 60, 24 * 3600
WORDS = dict(zip((3, 5, 8, 10, 15, 50), ("three", "five", "eight", "ten", "fifteen", "fifty"), strict=True))


def found(name, pattern):
    """What a file says wherever a pattern matches, which has to be one thing."""
    (said,) = set(re.findall(pattern, (REPOSITORY / name).read_text(encoding="utf-8"), re.MULTILINE))
    return said


def listed(numbers):
    """As a sentence lists them."""
    *most, last = map(str, sorted(numbers))
    return f"{', '.join(most)} and {last}"


SCALER = yaml.safe_load((REPOSITORY / "k8s/63-web-autoscaler.yaml").read_text())["spec"]
NGINX, REDIS = (found("compose.yaml", rf"{name}_IMAGE:-\w+:([\d.]+)-") for name in ("NGINX", "REDIS"))
MAXMEMORY = int(found("deploy/redis.conf", r"^maxmemory (\d+)mb$"))
READ_TIMEOUT = found("nginx/snippets/timeouts.conf", r"^proxy_read_timeout (\d+)s;$")
HEADER_TIMEOUT = found("nginx/snippets/timeouts.conf", r"^client_header_timeout (\d+)s;$")
SHUTDOWN = found("nginx/snippets/descriptors.conf", r"^worker_shutdown_timeout (\d+)m;$")
NATIVE_LOG = int(found("deploy/fleet/supervision.py", r"^std\w+_logfile_maxbytes = (\d+)MB$"))
NATIVE_LOGS = int(found("deploy/fleet/supervision.py", r"^std\w+_logfile_backups = (\d)$"))
ENGINE_LOG, ENGINE_LOGS = map(int, found("compose.yaml", r'max-size: (\d+)m, max-file: "(\d)"'))
LIMITS = bounds.Limits()
ORDINARY = listed(filter(None, chronicle.ORDINARY))
BACKLOG = f"{history.BACKLOG:,} publications or {history.BACKLOG_BYTES // MIB} MiB"

FIGURES = [
    ("README.md", f"backlog {slot.BACKLOG}"),
    ("README.md", f"Kubernetes {OLDEST[0]}.{OLDEST[1]} or newer"),
    ("CONTRIBUTING.md", f"the fault tests, {soak.REPEAT} times"),
    ("SECURITY.md", f"| {tickets.LIFETIME} s, and its session's end;"),
    ("SECURITY.md", f"good within its {tickets.LIFETIME} s"),
    ("SECURITY.md", f"looked up every {connected.SWEEP_EVERY:g} s"),
    ("SECURITY.md", f"{WORDS[attempts.OF_ACCOUNT]} and {WORDS[attempts.OF_ADDRESS]} failures in a quarter of an hour"),
    ("SECURITY.md", f"{WORDS[hashing.WAITING]} that wait for at most {hashing.WAIT_SECONDS:g} s"),
    ("SECURITY.md", f"take {proof.MESSAGE_LIMIT // KIB} KiB a value"),
    ("SECURITY.md", f"each for {HEADER_TIMEOUT} s"),
    ("SECURITY.md", f"{NATIVE_LOG * (NATIVE_LOGS + 1)} MB natively, {ENGINE_LOG * ENGINE_LOGS} with Compose"),
    ("SECURITY.md", f"a quarter of an hour for {MAXMEMORY} MB by one replica"),
    ("app/demos/README.md", f"latest value by player at {arena.RATE} Hz"),
    ("app/demos/README.md", f"latest value by replica at {1 / TICK:g} Hz"),
    ("app/fanout/README.md", f"within {WORDS[history.KEY_WINDOW / MINUTE]} minutes"),
    ("app/fanout/howto/background-work.md", f"raises `Unavailable` within {pipeline.COMMAND_TIMEOUT:g} s"),
    ("app/fanout/howto/background-work.md", f"more than {worker.LATE:g} make the worker degraded"),
    ("app/fanout/howto/background-work.md", f"database, within {worker.LATE:g} s, exactly once"),
    ("app/fanout/howto/from-socketio-and-anycable.md", f"(up to {LIMITS.groups_per_connection})"),
    ("deploy/README.md", f"`noeviction`, {MAXMEMORY} MB (`REDIS_MAXMEMORY`)"),
    ("deploy/README.md", f"instead of {NGINX} and {REDIS}"),
    ("deploy/README.md", f"any code but {ORDINARY}"),
    ("deploy/README.md", f"at most {logs.EVENT_LIMIT} lines a second are written, of all together {logs.LIMIT}"),
    ("deploy/drills/README.md", f"look back {FASTER} times shorter"),
    ("deploy/drills/results.md", f"look back {FASTER} times shorter"),
    ("deploy/kubernetes/README.md", f"Kubernetes {OLDEST[0]}.{OLDEST[1]} or newer"),
    ("deploy/kubernetes/README.md", f"`web`, {SCALER['minReplicas']} to {SCALER['maxReplicas']} by an autoscaler"),
    ("nginx/README.md", f"for up to {SHUTDOWN} minutes (`worker_shutdown_timeout`)"),
    ("nginx/README.md", "nothing else, for five years" if certificates.AUTHORITY_DAYS == 5 * 365 else "another age"),
    ("nginx/README.md", f"The certificate is for {certificates.SERVER_DAYS} days"),
    ("nginx/README.md", f"renews it in the last {certificates.RENEWED_DAYS}, `make doctor`"),
    ("nginx/README.md", f"asks for that in the last {RENEWED_DAYS} and the alert"),
    ("loadtest/README.md", f"({delivery.REFERENCE:g} µs a delivery, {connect.REFERENCE:,.0f} µs a handshake)"),
    ("loadtest/README.md", f"delivered message, {delivery.SOCKETS} sockets in one group"),
    ("loadtest/README.md", f"with {min(sockets.SIZES['ours'])} to {max(sockets.SIZES['ours']):,} sockets"),
    ("loadtest/README.md", f"| {storm.HANDSHAKES:,} handshakes at once"),
    ("loadtest/README.md", f"through nginx with {listed(edge.REPLICAS)} replicas"),
    ("loadtest/README.md", f"{connect.CONNECTIONS:,} connections behind the first {connect.WARM}"),
    ("loadtest/README.md", f"Over {BUSY:.0%} of a core".replace("%", " %")),
    ("loadtest/README.md", f"{max(sockets.SIZES['ours']):,} sockets need {bench.NEEDED:,} descriptors"),
    ("loadtest/README.md", f"more than {'a tenth' if machine.DISTURBED == 0.1 else machine.DISTURBED} of the machine"),
    ("loadtest/README.md", f"history holds (chat: {ChatPolicy.history.size:,})"),
    ("loadtest/README.md", f"publishes {LIMITS.publishes_per_connection} times a second"),
    ("loadtest/README.md", f"{Policy.flush_interval * 1000:g} ms flush interval"),
    ("deploy/runbooks/FanoutArchiveIncomplete.md", f"keeps {BACKLOG} of each group"),
    ("deploy/runbooks/FanoutWorkerBehind.md", f"group {BACKLOG} (then"),
    ("deploy/runbooks/FanoutWorkerBehind.md", f"has waited for more than {worker.LATE:g} s"),
    ("deploy/runbooks/FanoutHandshakeStorm.md", f"wait in the backlog ({slot.BACKLOG:,})"),
    ("deploy/runbooks/FanoutHistoryTooShort.md", f"its bytes and about {capacity.ENTRY_BYTES} more"),
    ("deploy/runbooks/FanoutMemoryHigh.md", f"it takes less than {capacity.REPLICA_BASE // MIB}, and"),
    ("deploy/runbooks/FanoutOutboxGrowing.md", f"bounded by its outbox ({Policy.outbox_limit // MIB} MiB)"),
    ("deploy/runbooks/FanoutReplicaDown.md", f"until nginx gives up after {READ_TIMEOUT} s"),
    ("deploy/runbooks/FanoutReplicaNotReady.md", f"event loop is more than {readiness.STUCK:g} s late"),
    ("deploy/runbooks/RedisEvicting.md", f"as shipped {MAXMEMORY}mb"),
    ("deploy/runbooks/RedisMemoryNearLimit.md", f"as shipped {MAXMEMORY}mb"),
]
"""A document and what it has to say, of each figure that the code sets."""
DECISIONS = {
    "0001": [
        f"slots ({state.DEFAULT_SLOTS}: `web-1.sock` to",
        f"log at {NATIVE_LOG} MB and keeps {WORDS[NATIVE_LOGS]}",
    ],
    "0002": [f"longer than {MESSAGE_LIMIT // KIB} KiB is to be closed"],
    "0007": [
        f"{tail.LIMIT // KIB} KiB of the newest, {tail.LIMIT // KIB} KiB of what was read last",
        f"at most {history.READ_BYTES // KIB} KiB an answer",
        f"takes nothing for {follower.STALL_LIMIT:g} s",
    ],
    "0008": [
        f"more than {ANSWERS_LIMIT // MIB} MiB is queued",
        f"After {backlog.PATIENCE:g} s the client is closed",
        f"with 4008 at {backlog.UNWAITED_LIMIT // MIB} MiB",
        f"nothing for {'a minute' if channel.SECONDS == MINUTE else channel.SECONDS} is cut",
    ],
    "0010": [f"at most once {'a second' if again.EVERY == 1 else again.EVERY} (`app/server/again.py`)"],
    "0012": [
        f"a polled group for {'a minute' if shelf.LINGER == MINUTE else shelf.LINGER}",
        f"At most {shelf.SHELVES_LIMIT:,} groups are kept",
        f"{events.LEAVING_RATE:g} streams a second at most",
    ],
    "0014": [f"(SIGTERM, the replica drains, {supervision.DRAIN_SECONDS} s)"],
    "0015": [f"Replicas wait {PROPAGATION_SECONDS} s (`preStop`)"],
    "0016": [
        f"At {documents.COMPACT_HERE:,} changes it writes",
        f"at {documents.REFUSE:,} it refuses",
        f"at {DocumentPolicy.history.size:,} Redis would trim",
        f"at most {TEXT_LIMIT:,} characters",
        f"a snapshot {documents.DOCUMENT_LIMIT // MIB} MiB",
        f"each {documents.GRANT}th one a look",
    ],
    "0017": [f"up to {history.BACKLOG:,} publications"],
    "0018": [
        f"Up to a {counted.UNASKED}nd of a limit",
        f"forgotten after {counted.STALE_AFTER:g} s",
        f"told anew within {counted.BEAT_EVERY:g} s",
        f"({counted.ANSWER_SECONDS:g} s without an answer)",
    ],
    "0019": [
        f"Every {connected.SWEEP_EVERY:g} s a process that has accounts asks the database for {rows.CHUNK} of them",
        f"then after {users.RECHECK:g} s, when a policy asks again",
    ],
    "0022": [
        f"any code but {ORDINARY.replace(' and', ',')}",
        f"{logs.EVENT_LIMIT} lines a second of one place in the code, {logs.LIMIT} of all",
    ],
    "0026": [
        f"{'Sixteen' if bounds.LARGE_SECONDS == 16 else bounds.LARGE_SECONDS} seconds' worth go at once",
        f"`History.bytes`, {history.History().bytes // MIB} MiB by default",
        f"a bound of its own ({history.BACKLOG_BYTES // MIB} MiB)",
        f"after {'each MiB' if documents.UNSAVED_BYTES == MIB else documents.UNSAVED_BYTES} of changes",
    ],
}
"""The same of each decision note, by its number."""
THRESHOLDS = [
    ("FanoutDescriptorsLow", "> 0.8", "opened 80 % of the files"),
    ("FanoutGapsFound", "[10m])) > 5", "more than five gaps in live streams within ten minutes"),
    ("FanoutHandshakeStorm", "[1m])) > 500", "More than 500 handshakes a second reach one replica for a minute"),
    ("FanoutHistoryTooShort", "[1h])) > 10", "More than ten clients in an hour"),
    ("FanoutLoopLag", "histogram_quantile(0.99, ", "One tick in a hundred"),
    ("FanoutLoopLag", "> 0.25", "more than 0.25 s late"),
    ("FanoutMemoryHigh", "> 400 * 1024 * 1024", "more than 400 MiB"),
    ("FanoutOriginsRefused", "[10m])) > 20", "More than 20 sockets in ten minutes"),
    ("FanoutOutboxGrowing", "> 64 * 1024 * 1024", "More than 64 MiB wait"),
    ("FanoutRedisReconnecting", "[10m]) > 3", "more than three times in ten minutes"),
    ("FanoutRedisSlow", "histogram_quantile(0.99, ", "One command in a hundred"),
    ("FanoutRedisSlow", "> 0.1", "more than 0.1 s"),
    ("FanoutReplicaRestarting", "[15m]) >= 3", "three times or more within 15 minutes"),
    ("FanoutSlowConsumers", "[10m])) > 3", "more than three clients in ten minutes"),
    ("RedisMemoryNearLimit", "> 0.8", "80 % of `maxmemory`"),
    ("CertificateExpiring", "< 14 * 24 * 3600", "valid for less than two weeks"),
]
"""An alert, a part of its rule, and what its runbook says of that."""
RULES = yaml.safe_load((REPOSITORY / "deploy/prometheus/rules/alerts.yml").read_text())["groups"]
AGES = (configuration.HSTS_SECONDS, configuration.OWN_HSTS_SECONDS, HSTS_HERE)


def said(path):
    """A document in one line: a sentence may be broken anywhere."""
    return " ".join(path.read_text(encoding="utf-8").split())


@pytest.mark.parametrize(("name", "sentence"), FIGURES, ids=lambda value: value[:60])
def test_a_figure_is_the_codes(name, sentence):
    """Who changes the constant changes the document."""
    assert sentence in said(REPOSITORY / name)


@pytest.mark.parametrize(
    ("number", "sentence"), [(number, sentence) for number, sentences in DECISIONS.items() for sentence in sentences]
)
def test_a_figure_of_a_decision_is_the_codes(number, sentence):
    """A note tells what holds; what was measured in its time says so."""
    (path,) = REPOSITORY.glob(f"deploy/decisions/{number}-*.md")
    assert sentence in said(path)


@pytest.mark.parametrize(("alert", "part", "sentence"), THRESHOLDS)
def test_a_runbook_says_when_its_alert_fires(alert, part, sentence):
    """In words, what the rule says in Prometheus'."""
    (rule,) = [rule for group in RULES for rule in group["rules"] if rule.get("alert") == alert]
    assert part in rule["expr"]
    assert sentence in said(REPOSITORY / f"deploy/runbooks/{alert}.md")


def test_browsers_are_bound_for_as_long_as_it_says():
    """A year with a certificate of one's own, a day with the fleet's, a minute under localhost."""
    assert (365 * DAY, DAY, f"max-age={MINUTE}") == AGES
    assert "(HSTS: a year; a day with a certificate of the fleet's own; a minute for" in said(
        REPOSITORY / "nginx/README.md"
    )
