"""Django's settings, as a process of its own gets them."""

import json
import re
import subprocess
import sys

import pytest

from config.env import read
from fanout.history import History
from fanout.layers import RedisChannelLayer
from tests.replicas import APP, LIMIT, clean_environment
from tests.sentinels import MASTER_NAME

PRODUCTION = {
    "FANOUT_ENV": "production",
    "FANOUT_SECRET_KEY": "a1B2c3D4e5F6g7H8i9J0" * 3,
    "FANOUT_ALLOWED_HOSTS": "chat.example.org",
    "FANOUT_REDIS_URLS": "redis://127.0.0.1:1",
}
EXPECTED = {
    "security.W004": "HSTS is for whoever owns the TLS end: it would also bind the site's other ports",
    "security.W008": "the redirect to HTTPS is nginx's, or that of what stands before it; the probes come by HTTP",
    "security.W012": "the stack also runs without TLS, where a secure session cookie would never come back",
    "security.W016": "the same for the CSRF cookie",
}
"""What `check --deploy` still says, and why it may."""
SHOW = "import json; from django.conf import settings; print(json.dumps({}, default=str))"


def manage(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=APP, env=clean_environment(**environment),
        capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip


def setting(expression, **environment):
    """Return the value of an expression over `settings` in a process with this environment."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW.format(expression)], cwd=APP,
        env=clean_environment(DJANGO_SETTINGS_MODULE="config.settings", **environment),
        capture_output=True, text=True, timeout=LIMIT, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_the_deployment_check_says_only_what_is_expected():
    """Every warning that is left has its reason here; a new one fails."""
    done = manage("check", "--deploy", **PRODUCTION)
    assert done.returncode == 0
    assert set(re.findall(r"\w+\.[WEC]\d+", done.stdout + done.stderr)) == set(EXPECTED)


def test_the_project_passes_its_checks():
    """In development, without any variable."""
    done = manage("check")
    assert (done.returncode, done.stdout) == (0, "System check identified no issues (0 silenced).\n")


def test_no_migration_is_missing():
    """The models and the migrations agree."""
    assert manage("makemigrations", "--check", "--dry-run").returncode == 0


@pytest.mark.parametrize(
    ("environment", "layer"),
    [
        ({}, {"BACKEND": "fanout.layers.InMemoryChannelLayer"}),
        (
            {"FANOUT_REDIS_URLS": "redis://a,unix:///b"},
            {"BACKEND": "fanout.layers.RedisChannelLayer", "CONFIG": {"hosts": ["redis://a", "unix:///b"]}},
        ),
    ],
)
def test_the_channel_layer_follows_the_redis_urls(environment, layer):
    """Without a URL it lives in the process."""
    assert setting("settings.CHANNEL_LAYERS['default']", **environment) == layer


async def test_a_layer_finds_its_master_by_a_sentinels_url(sentinel_server, layer_prefix):
    """What `.env.example` says of Sentinel, against a real one."""
    host, master = "127.0.0.1", MASTER_NAME
    given = {"FANOUT_REDIS_URLS": f"sentinel://{host}:1,{host}:{sentinel_server.sentinel.port}/{master}"}
    layer = RedisChannelLayer(hosts=read(given).redis_hosts, prefix=layer_prefix)
    try:
        assert (await layer.append("a.b", b"1", History())).offset == 1
        assert sentinel_server.first.cli.keys(f"{layer_prefix}*")
    finally:
        await layer.flush()


def test_replicas_share_what_the_environment_gives_them():
    """Key, names, database and origins come from it alone."""
    given = {
        "FANOUT_SECRET_KEY": "k" * 40,
        "FANOUT_ALLOWED_HOSTS": "a.example.org",
        "FANOUT_TRUSTED_ORIGINS": "https://b.example.org",
        "FANOUT_DATABASE": "sqlite:///var/x.sqlite3",
    }
    names = ["SECRET_KEY", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS"]
    values = setting(f"[getattr(settings, name) for name in {names}]", **given)
    assert values == ["k" * 40, ["a.example.org"], ["https://b.example.org"]]
    assert setting("settings.DATABASES['default']['NAME']", **given) == "/var/x.sqlite3"


def test_static_files_are_found_without_collectstatic(replica):
    """A bare server shows the page as it is meant to look."""
    page = replica.get("/")[2].decode()
    links = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert links
    assert {replica.get(link)[0] for link in links} == {200}


def test_collected_static_files_have_hashed_names(start_once, replica):
    """A browser may keep them for ever; the page that a later replica serves names them."""
    root = start_once.folder / "collected"
    environment = {"FANOUT_STATIC_ROOT": str(root)}
    done = manage("collectstatic", "--no-input", **environment)
    assert done.returncode == 0, done.stderr
    assert (root / "admin" / "css" / "base.css").exists()
    assert not [*(root / "admin").rglob("*.gz")], "each start of a fleet waits for them"
    later = start_once.replica(name="web-2", environment=environment)
    links = re.findall(r'(?:href|src)="(/static/[^"]+)"', later.get("/")[2].decode())
    assert links
    for link in links:
        status, headers, _ = later.get(link)
        assert (status, "immutable" in headers["Cache-Control"]) == (200, True), link
        assert (root / link.removeprefix("/static/")).exists()
        assert (root / (link.removeprefix("/static/") + ".gz")).exists() or link.endswith((".png", ".ico", ".woff2"))
