"""`/openapi.json` says what the server does: schemathesis asks for everything in it, rightly and wrongly."""

import json
import sys
from http import HTTPStatus

import hypothesis
import hypothesis.strategies as st
import pytest
import requests
import schemathesis
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from fanout import errors
from fanout.http import problems
from fanout.http.endpoints import OPENAPI
from fanout.http.poll import WAIT
from tests.replicas import APP, LIMIT

EXAMPLES = 40
"""Of each address and kind of input: some ten seconds in all."""
APPLICATION = "tests.fanout.values:application"


@pytest.fixture(scope="module")
def served(start_once, redis_server):
    """A replica that listens on a port, as schemathesis wants it; returns its address."""
    start_once.environment |= {"FANOUT_REDIS_URLS": redis_server.url}
    assert start_once.process(sys.executable, APP / "manage.py", "migrate", "--verbosity", "0").wait() == 0
    return f"http://127.0.0.1:{start_once.tcp('server', APPLICATION, '-b', '127.0.0.1', '-p', '0').port}"


CONFIG = schemathesis.Config()
CONFIG.projects.default.max_stream_events = 1  # a stream does not end by itself
OPERATIONS = {
    operation.label: operation
    for operation in (each.ok() for each in schemathesis.openapi.from_path(OPENAPI, config=CONFIG).get_all_operations())
}
ASKED = [
    (label, mode.value)
    for label, operation in OPERATIONS.items()
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or [*operation.iter_parameters()]
]


@pytest.mark.slow
@pytest.mark.parametrize(("label", "mode"), ASKED)
def test_the_server_does_what_its_description_says(served, label, mode):
    """Statuses, types, headers and bodies are as described, whatever is asked, and nothing makes it fail."""
    strategy = OPERATIONS[label].as_strategy(generation_mode=GenerationMode(mode))

    @hypothesis.settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(case=strategy, known=st.booleans())
    def ask(case, known):
        if known:
            in_known_groups(case)
        check(served, case)

    ask()


def in_known_groups(case):
    """Ask about groups that there are, not about those that nobody may join."""
    if case.path_parameters:
        case.path_parameters["group"] = "chat.schema"
    elif "group" in (case.query or {}):
        case.query["group"] = ["chat.schema", "values.schema"]


def check(base_url, case):
    """Ask once, and judge the answer."""
    query = dict(case.query or {})
    if case.operation.path.startswith("/poll") and query.get("wait", 0) in range(WAIT + 1):
        query["wait"] = 0
    if case.operation.path == "/events":  # without a group nothing would ever come
        groups = query.get("group")
        query["group"] = [*(groups if isinstance(groups, list) else [groups]), "chat.schema"]
    case.query = query
    answer = case.call(base_url, timeout=LIMIT)
    # A policy refuses more than a schema can say; and a field that the server does not know is no mistake.
    case.validate_response(answer, excluded_checks=[checks.positive_data_acceptance, checks.negative_data_rejection])
    assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR


def test_the_description_is_served_as_it_lies(served):
    """Byte for byte, as JSON."""
    answer = requests.get(f"{served}/openapi.json", timeout=10)
    assert (answer.status_code, answer.content) == (HTTPStatus.OK, OPENAPI.read_bytes())


def test_it_names_every_code():
    """Those of the package and those of HTTP, and no other; each has a status."""
    codes = json.loads(OPENAPI.read_bytes())["components"]["schemas"]["problem"]["properties"]["code"]["enum"]
    known = {error.code for error in errors.FanoutError.__subclasses__()}
    assert set(codes) == known | set(problems.HTTP_CODES)
    assert {error.code for error in problems.STATUSES} == known
