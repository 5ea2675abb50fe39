"""What the runbooks tell people to type: each command is there, and means something to what it is said to."""

import json
import re
import shlex
import shutil
import subprocess
from urllib.parse import urlsplit

import pytest
import yaml
from django.core.management import get_commands

from fleet.options import REPOSITORY, VARIABLES, VERBS
from ops.asgi import ANSWERS

FOLDER = REPOSITORY / "deploy/runbooks"
OF_ALERTS = sorted(FOLDER.glob("[A-Z]*[a-z].md"))
PLANNED = sorted(FOLDER.glob("[a-z]*.md"))
HEADINGS = {True: ["When", "Impact", "Before", "Steps"], False: ["Meaning", "Impact", "Diagnosis", "Mitigation"]}
"""By whether it is planned."""
MODES = ["native", "compose", "kubernetes"]
BLOCK = re.compile(r"^```sh (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
NESTED = re.compile(r"\$\(([^()]*)\)")
REDIRECTION = re.compile(r">>?\S|<\S")
BETWEEN = {"&&", "||", "|", ";", "&"}

COMMON = {
    "apt-get",
    "cat",
    "cd",
    "cp",
    "date",
    "df",
    "du",
    "echo",
    "find",
    "git",
    "grep",
    "kill",
    "ls",
    "mkdir",
    "mv",
    "nginx",
    "openssl",
    "pg_dump",
    "pg_restore",
    "postgres",
    "printf",
    "prometheus-nginx-exporter",
    "prometheus-redis-exporter",
    "psql",
    "rm",
    "ss",
    "tar",
    "ulimit",
    ".venv/bin/py-spy",
}
"""Of every machine, or of the fleet's environment."""
COMPOSE = ["docker", "compose", "--env-file", ".run/compose/env"]
SUBCOMMANDS = {"exec", "logs", "pull", "restart", "run", "top", "up"}
KUBECTL = {
    "apply", "delete", "describe", "diff", "drain", "exec", "get", "logs", "patch", "rollout", "scale", "set", "top",
    "uncordon",
}  # fmt: skip
SENTINEL = {"masters", "ckquorum", "failover", "get-master-addr-by-name"}
SERVICES = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]
MANIFESTS = [
    manifest
    for path in sorted((REPOSITORY / "k8s").glob("*.yaml"))
    for manifest in yaml.safe_load_all(path.read_text())
]
OBJECTS = {f"{each['kind'].lower()}/{each['metadata']['name']}": each for each in MANIFESTS}


class NotACommandError(AssertionError):
    """The command is not there, or would not be understood."""


def blocks(text):
    """The blocks of commands: section, mode, text."""
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading = section.partition("\n")[0]
        for mode, block in BLOCK.findall(section):
            yield heading, mode, block


def simple_commands(line):
    """The words of each command of a line, of those in $(…) too."""
    for nested in NESTED.findall(line):
        yield from simple_commands(nested)
    lexer = shlex.shlex(NESTED.sub("x", line), posix=True, punctuation_chars="&|;")
    lexer.whitespace_split, lexer.commenters = True, ""
    words = []
    for word in [*lexer, ";"]:
        if word in BETWEEN:
            while words and ASSIGNMENT.fullmatch(words[0]):
                words.pop(0)
            if words[:1] == ["nohup"]:
                words.pop(0)
            if words:
                yield words
            words = []
        elif not REDIRECTION.match(word):
            words.append(word)


class Judge:
    """Looks each command up where it would be carried out; `redis` is a real one."""

    def __init__(self, redis):
        self._redis = redis
        self._commands = redis.execute_command("COMMAND LIST")

    def line(self, line):
        for words in simple_commands(line):
            self.command(words)

    def command(self, words):
        program, *rest = words
        match program:
            case "make":
                self._make(rest)
            case "curl":
                self._curl(rest)
            case "docker":
                self._compose(words)
            case "kubectl":
                self._kubectl(rest)
            case "redis-cli":
                self._redis_cli(rest)
            case "python":
                self._manage(rest)
            case ".venv/bin/python":
                self._python(rest)
            case "." | "source":
                self._wants(rest[0] == ".run/environment", words)
            case "sh":
                self._wants(rest[0] == "-c", words)
                self.line(rest[1])
            case _:
                self._wants(program in COMMON, words)

    def _wants(self, holds, words):
        if not holds:
            raise NotACommandError(shlex.join(words))

    def _make(self, rest):
        verb, *values = rest
        self._wants(verb in VERBS, ["make", *rest])
        for value in values:
            self._wants(value.partition("=")[0] in (*VARIABLES, "PYTHON"), ["make", *rest])

    def _curl(self, rest):
        path = urlsplit(rest[-1]).path
        asked = re.fullmatch(r"/ops/(?:replicas/web-\d+|worker)(/\w+)", path)
        self._wants((asked[1] if asked else path) in ANSWERS, ["curl", *rest])

    def _compose(self, words):
        subcommand, *rest = without_options(words[len(COMPOSE) :], {"--profile"})
        self._wants(words[: len(COMPOSE)] == COMPOSE and subcommand in SUBCOMMANDS, words)
        rest = without_options(rest, {"-e", "--tail"})
        inner = rest[1:] if subcommand in ("exec", "run") else []
        self._wants(all(name in SERVICES for name in rest[: len(rest) - len(inner)]), words)
        if inner:
            self.command(inner)

    def _kubectl(self, rest):
        if "--patch" in rest:
            self._wants(json.loads(rest.pop(rest.index("--patch") + 1)), ["kubectl", *rest])
        inner = rest[rest.index("--") + 1 :] if "--" in rest else []
        outer = rest[: rest.index("--")] if "--" in rest else rest
        self._wants(outer[0] in KUBECTL, ["kubectl", *rest])
        if outer[0] in ("apply", "diff"):
            self._wants(outer[1:] == ["-f", "k8s"], ["kubectl", *rest])
            return
        self._wants(outer[outer.index("--namespace") + 1] == "fanout", ["kubectl", *rest])
        for word in outer:
            if "/" in word and OBJECTS and "=" not in word:
                self._wants(word in OBJECTS, ["kubectl", *rest])
        if "--container" in outer and OBJECTS:
            name = outer[outer.index("--container") + 1]
            pod = OBJECTS[next(word for word in outer if "/" in word)]["spec"]["template"]["spec"]
            names = [each["name"] for each in [*pod["containers"], *pod.get("initContainers", [])]]
            self._wants(name in names, ["kubectl", *rest])
        if inner:
            self.command(inner)

    def _redis_cli(self, rest):
        words = without_options(rest, {"-s", "-p", "--rdb"})
        if not words:
            self._wants(rest[-1:] == ["--bigkeys"] or "--rdb" in rest, ["redis-cli", *rest])
            return
        if words[0] == "sentinel":  # of a program of its own, which knows no other words
            self._wants(words[1] in SENTINEL, ["redis-cli", *rest])
            return
        self._wants(words[0] in self._commands, ["redis-cli", *rest])
        if words[0] == "config":
            before = self._redis.config_get(words[2])
            self._wants(before, ["redis-cli", *rest])
            if words[1] == "set":
                self._redis.config_set(words[2], words[3])
                self._redis.config_set(words[2], before[words[2]])

    def _python(self, rest):
        if rest[0] == "-c":
            compile(rest[1], "the runbook", "exec")
        else:
            self._wants(rest[0] == "app/manage.py", [".venv/bin/python", *rest])
            self._manage(["manage.py", *rest[1:]])

    def _manage(self, rest):
        if rest[:2] == ["-m", "ops.probe"]:
            return
        self._wants(rest[0] == "manage.py" and rest[1] in get_commands(), ["python", *rest])


def without_options(words, with_values):
    """The words without leading options, of which some take a value."""
    words = list(words)
    while words and words[0].startswith("-"):
        del words[: 2 if words[0] in with_values else 1]
    return words


@pytest.fixture
def judge(own_redis):
    """A judge over a Redis of its own, which it may set as it likes."""
    import redis

    with redis.Redis.from_url(own_redis.operators_url, decode_responses=True) as client:
        yield Judge(client)


@pytest.mark.parametrize("path", [*OF_ALERTS, *PLANNED], ids=lambda path: path.stem)
def test_a_runbook_has_its_parts(path):
    """Named as its alert or task; what it means, what it costs, how to look, what to do, each way for each mode."""
    text = path.read_text()
    headings = HEADINGS[path in PLANNED]
    assert text.startswith(f"# {path.stem}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == headings
    for heading in headings[2:]:
        found = [(mode, block) for section, mode, block in blocks(text) if section == heading]
        assert [mode for mode, _ in found] == MODES
        assert all(re.search(r"^[^#\n]", block, re.MULTILINE) for _, block in found)
    assert text.count("```") == 2 * len(list(blocks(text)))
    assert path in PLANNED or text.endswith("\n\n[When it is over](README.md#when-it-is-over)\n")


def test_the_index_lists_the_planned_ones():
    """Each with its first words."""
    listed = re.findall(r"^\| \[([\w-]+)\]\(([\w-]+)\.md\) \|", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert listed == sorted(listed)
    assert [(path.stem, path.stem) for path in PLANNED] == listed


GO_BACK = re.compile(r"git (?:checkout|clean|reset|restore|stash|switch)[^&#\n]*")


def test_the_way_to_the_version_before_is_the_same_everywhere():
    """As roll-back.md has it."""
    texts = [block for path in (*OF_ALERTS, *PLANNED) for _, _, block in blocks(path.read_text())]
    assert {found.strip() for text in texts for found in GO_BACK.findall(text)} == {"git switch --detach 'main@{1}'"}


def test_it_leads_to_what_was_deployed_before_and_keeps_what_is_yours(tmp_path):
    """However many commits came, however often it is typed; a change that is in its way stops it."""
    (way,) = {found.strip() for found in GO_BACK.findall((FOLDER / "roll-back.md").read_text().partition("Then")[0])}

    def typed(folder, command, *, check=True):
        script = f'git() {{ command git -c user.name=a -c user.email=a@b -c commit.gpgsign=false "$@"; }}; {command}'
        done = subprocess.run(["bash", "-ec", script], cwd=folder, capture_output=True, text=True, check=check)
        return done.stdout.strip() if check else done.returncode

    origin, here = tmp_path / "origin", tmp_path / "here"
    commit = "echo {0} >code && git add code && git commit --quiet --message {0}"
    typed(tmp_path, f"git init --quiet --initial-branch main origin && cd origin && {commit.format('good')}")
    typed(tmp_path, "git clone --quiet origin here")
    typed(origin, f"{commit.format('bad')} && {commit.format('worse')}")
    typed(here, "git pull --quiet --ff-only && echo mine >notes")
    (here / "code").write_text("mine")
    assert typed(here, way, check=False) != 0
    assert (here / "code").read_text() == "mine"
    typed(here, "git restore code")
    for _ in range(2):
        typed(here, way)
        assert typed(here, "cat code notes") == "good\nmine"
    assert typed(here, "git switch --quiet main && cat code") == "worse"


@pytest.mark.parametrize("path", [*OF_ALERTS, *PLANNED], ids=lambda path: path.stem)
def test_its_commands_are_there_and_parse(path, judge):
    """A shell reads them, and what they are said to knows each word that matters."""
    for _, _, block in blocks(path.read_text()):
        assert subprocess.run([shutil.which("bash"), "-n"], input=block, text=True, check=False).returncode == 0
        for line in block.splitlines():
            if not line.startswith("#"):
                judge.line(line)


@pytest.mark.parametrize(
    "line",
    [
        "make upp",
        "make up REPLIKAS=3",
        "curl --silent http://127.0.0.1:8080/ops/replicas/web-1/metricz",
        "docker compose exec redis redis-cli ping",
        "docker compose --env-file .run/compose/env exec -T redi redis-cli ping",
        "docker compose --env-file .run/compose/env exec -T redis redis-cli pong",
        "kubectl get pods --namespace default",
        "kubectl exec --namespace fanout redis-0 -- sh -c 'redis-cli pong'",
        "redis-cli config get maxmemmory",
        "redis-cli -s .run/redis/redis.sock inf memory",
        "python manage.py chek",
        "true && rm -rf /",
        'kill "$(catt x)"',
    ],
)
def test_a_command_that_is_not_there_is_found(judge, line):
    """Or the test above would hold whatever the runbooks say."""
    with pytest.raises(NotACommandError):
        judge.line(line)
