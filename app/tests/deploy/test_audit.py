"""What `make check` has others look for: each tool finds what is planted, each exception is reasoned and needed."""

import http.server
import json
import re
import threading

import pytest

from fleet import quality
from fleet.audit import advisories, bill, code, edge, leaks, tools
from fleet.audit.advisories import MIRROR
from fleet.options import REPOSITORY

RANDOM = "q7Xz" + "91kLmP0" + "vTr4"
SAMPLES = {
    "a private key": "-----BEGIN EC " + "PRIVATE KEY-----",
    "a key of AWS": "AKIA" + "IOSFODNN7EXAMPLE",
    "a token of GitHub": "ghp_" + "a1" * 18,
    "a token of GitLab": "glpat-" + "a1" * 10,
    "a token of Slack": "xoxb-" + "1234567890",
    "a key of Google": "AIza" + "a1b2c" * 7,
    "a key of Stripe": "sk_live_" + "a1" * 10,
    "a token of npm or PyPI": "npm_" + "a1" * 18,
    "a JSON Web Token": ".".join(("eyJ" + "hbGciOiJIUz", "eyJ" + "zdWIiOiIxMj", "abcdefghijk")),
    "a password in a URL": f"redis://app:{RANDOM}@redis.example.org",
    "a secret in plain words": f'password = "{RANDOM}"',
}
HARMLESS = [
    "redis://user:password@host:6379/0", 'PASSWORD = "REDISCLI_AUTH"', "password=${PASSWORD}",
    'token = "the-usual-words"',    "--from-literal password=…", "secret = secrets.token_urlsafe(50)",
]  # fmt: skip


@pytest.mark.parametrize("what", leaks.SHAPES)
def test_every_shape_of_a_secret_is_found(what):
    """In the middle of a line as well."""
    assert what in list(leaks.found_in(f"see: {SAMPLES[what]} there"))


@pytest.mark.parametrize("line", HARMLESS)
def test_what_only_speaks_of_secrets_is_none(line):
    """Names, examples, places."""
    assert list(leaks.found_in(line)) == []


def test_nothing_secret_is_in_the_tree():
    """In no file that git knows."""
    assert leaks.problems() == []


def test_files_that_are_not_searched_are_there_and_have_a_reason():
    """Few."""
    for name, reason in leaks.EXCEPTIONS.items():
        assert (REPOSITORY / name).exists()
        assert reason


def test_bandit_finds_a_trap_and_takes_an_exception_of_ruffs(tmp_path):
    """The line with the reason is silent, the same line without it is not."""
    path = tmp_path / "trap.py"
    path.write_text("import pickle\nA = pickle.loads(b'')\nB = pickle.loads(b'')  # noqa: S301 - made here\n")
    (problem,) = code.problems([str(tmp_path)])
    assert problem.startswith(f"{path}:2: B301")


def test_every_exception_of_bandit_has_its_reason():
    """Words behind it."""
    for name in (path for folder in code.FOLDERS for path in REPOSITORY.glob(f"{folder}/**/*.py")):
        if "tests" not in name.parts:
            for found in re.findall(r"# nosec(.*)", name.read_text()):
                assert re.match(r" B\d{3} - \S.{8,}", found) or name.name == "code.py", name


def test_gixy_finds_a_trap(tmp_path):
    """A redirect to a decoded path is a header of the client's making."""
    path = tmp_path / "nginx.conf"
    path.write_text("http { server { location / { return 302 https://example.org$uri; } } }\n")
    assert "http_splitting" in {each["plugin"] for each in edge.findings([path])}


def test_every_exception_of_gixy_is_needed(tmp_path):
    """One that nothing falls under any more goes."""
    paths = [tmp_path / f"{kind}.conf" for kind in edge.configurations()]
    for path, text in zip(paths, edge.configurations().values(), strict=True):
        path.write_text(text)
    assert {each["plugin"] for each in edge.findings(paths)} == set(edge.EXCEPTIONS)


class Database(http.server.BaseHTTPRequestHandler):
    """OSV, as far as pip-audit asks it: one advisory, for one package."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = asked["package"]["name"]
        affected = [{"package": asked["package"], "versions": [asked["version"]], "ranges": [
            {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999"}]}]}]  # fmt: skip
        flaw = {"id": "OSV-1", "modified": "2026-01-01T00:00:00Z", "affected": affected, "summary": "x"}
        body = json.dumps({"vulns": [flaw]} if name == "django" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def test_an_advisory_of_a_pinned_version_is_told():
    """As pip-audit finds it in the database that is named."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environ = {MIRROR: f"http://127.0.0.1:{server.server_port}/v1/query"}
        assert advisories.absence(environ) == ""
        problems = advisories.problems(environ)
        server.shutdown()
    assert [re.sub(r"[\d.]+:", "N:", problem) for problem in set(problems)] == ["django N: OSV-1, mended in 999"]


def test_without_a_database_that_is_said():
    """And is no verdict: neither passed nor failed."""
    said = advisories.absence({MIRROR: "http://127.0.0.1:1/"})
    assert said.startswith("no advisories: 127.0.0.1 is not reached")
    assert advisories.judged([{"name": "a", "skip_reason": "unknown"}]) == [
        "pip-audit looked at nothing: its database knows none of the packages."
    ]


def test_the_bill_names_what_the_lock_names():
    """Each package with its version, and Yjs, which pages are sent."""
    made = bill.bill(is_judged=False)
    assert made["bomFormat"] == "CycloneDX"
    named = {f"{part['name']}=={part['version']}" for part in made["components"]}
    locked = set(re.findall(r"^([\w.-]+==[^ ;\\]+)", (REPOSITORY / "requirements.txt").read_text(), re.MULTILINE))
    assert locked <= named
    assert {name.partition("==")[0] for name in named - locked} == {"yjs", "lib0", "isomorphic.js"}
    assert all(part["hashes"][0]["content"] for part in made["components"] if part["purl"].startswith("pkg:npm"))


def test_all_of_them_are_in_make_check():
    """With checkov, which looks at the manifests."""
    assert {"bandit", "gixy", "secrets", "pip-audit", "policies"} <= {name for name, _ in quality.JUDGES}
    assert (str(tools.AUDIT.relative_to(REPOSITORY))) in {name for name, _ in quality.LOCKS}
    text = tools.AUDIT.read_text()
    assert text.count("--hash=sha256:") > text.count("==")


def test_images_hold_no_package_managers_caches():
    """Pip keeps none and is gone itself; apt is not asked for anything."""
    text = re.sub(r"\\\n", "", (REPOSITORY / "deploy/Dockerfile").read_text())
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert len(installs) == 2
    for line in installs:
        assert "--no-cache-dir" in line
        assert re.search(r"pip uninstall --quiet --yes (\w+ )*pip", line)
    assert "apt-get" not in text
    assert "apk " not in text
