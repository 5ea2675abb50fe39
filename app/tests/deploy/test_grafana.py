"""The dashboards of deploy/grafana, against Grafana's own schema and against what a person wants to read.

The schema is that of Grafana's foundation SDK, made from it for one version: a key that it does not know is lost on the
way through its classes, a value of another type does not fit their annotations. Whether a panel has data is asked of a
real Prometheus (cluster/test_prometheus.py); Grafana itself cannot run here, it is in no registry that tests reach.
"""

import enum
import json
import re
import types
import typing
from importlib import metadata

import pytest
import yaml
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from fleet.compose.project import defaults
from fleet.options import REPOSITORY
from tests.panels import DASHBOARDS, panels, queries

FOLDER = REPOSITORY / "deploy/grafana"
PROVISIONING = FOLDER / "provisioning"
COLUMNS = 24
UNITS = {getattr(units, name) for name in dir(units) if name[0].isupper()}

register_default_plugins()


def fits(value, hint):
    """Whether a value is of an annotated type."""
    inner = typing.get_args(hint)
    match typing.get_origin(hint):
        case typing.Union | types.UnionType:
            return any(fits(value, each) for each in inner)
        case typing.Literal:
            return value in inner
        case origin if origin is list:
            return isinstance(value, list) and all(fits(each, inner[0]) for each in value)
        case origin if origin is dict:
            return isinstance(value, dict) and all(fits(each, inner[1]) for each in value.values())
    return fits_class(value, hint) if isinstance(hint, type) and hint is not object else not misfits(value)


def fits_class(value, kind):
    """Whether a value is of a class; JSON's true is no number, and each number may be a float."""
    if issubclass(kind, enum.Enum):
        return value in [member.value for member in kind]
    if hasattr(kind, "from_json"):
        value = kind.from_json(value) if isinstance(value, dict) else value
        return isinstance(value, kind) and not misfits(value)
    return isinstance(value, (int, float) if kind is float else kind) and isinstance(value, bool) == (kind is bool)


def misfits(model):
    """The fields of one of the SDK's objects that are not of the type that the schema gives them."""
    hints = typing.get_type_hints(type(model)) if hasattr(model, "to_json") else {}
    return [name for name, hint in hints.items() if not fits(getattr(model, name), hint)]


def plain(value):
    """What the SDK's objects are as JSON."""
    return json.loads(json.dumps(value, default=lambda each: each.to_json()))


def lost(given, kept, where=""):
    """The paths of what did not come through the SDK's classes."""
    if isinstance(given, dict) and isinstance(kept, dict):
        return [path for key in given for path in lost(given[key], kept.get(key), f"{where}.{key}")]
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        return [
            path
            for n, (one, other) in enumerate(zip(given, kept, strict=True))
            for path in lost(one, other, f"{where}[{n}]")
        ]
    return [] if given == kept else [where]


def faults(described):
    """What Grafana's schema has against a dashboard."""
    model = Dashboard.from_json(described)
    return lost(described, plain(model)) + misfits(model)


@pytest.fixture(params=DASHBOARDS, ids=lambda path: path.stem)
def described(request):
    """Each dashboard."""
    return json.loads(request.param.read_text())


def test_a_dashboard_is_as_grafana_has_them(described):
    """Every key is known to Grafana's schema, every value of its type."""
    assert faults(described) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schemaVersion",), "41"),
        (("graphTooltip",), 7),
        (("refrehs",), "10s"),
        (("panels", 1, "gridPos", "w"), "4"),
        (("panels", 1, "fieldConfig", "defaults", "unti"), "s"),
        (("panels", 1, "options", "colorMode"), "colourful"),
        (("panels", 1, "targets", 0, "exprs"), "up"),
        (("panels", 1, "fieldConfig", "defaults", "thresholds", "mode"), "relative"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_what_grafana_would_not_take_is_found(path, value):
    """Or the test above would hold whatever the dashboards say."""
    described = json.loads((FOLDER / "dashboards/fleet.json").read_text())
    place = described
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert faults(described)


def test_a_person_can_read_it(described):
    """Each panel stands in a named row, says what it shows and in which unit, and names its lines."""
    assert described["description"].endswith(".")
    assert described["panels"][0]["type"] == "row"
    assert len({panel["id"] for panel in described["panels"]}) == len(described["panels"])
    for panel in panels(described):
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["type"] == "heatmap" or panel["fieldConfig"]["defaults"]["unit"] in UNITS
        several = panel["type"] == "timeseries" or len(panel["targets"]) > 1
        assert all(target["legendFormat"] for target in panel["targets"]) or not several


def test_panels_do_not_overlap(described):
    """Each has its place in the grid, and all of the width is used for something."""
    taken = set()
    for panel in described["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= COLUMNS
        assert not taken & cells, panel["title"]
        taken |= cells


def test_a_query_asks_the_chosen_server_for_what_is_chosen(described):
    """Each panel by the variable `datasource`; what else stands behind a dollar is a variable, or Grafana's own."""
    known = {each["name"] for each in described["templating"]["list"]} | {"__rate_interval"}
    for panel in panels(described):
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for query in queries(panel):
            assert set(re.findall(r"\$(\w+)", query)) <= known


def test_grafana_finds_datasource_and_dashboards():
    """Provisioned by files, from where compose.yaml puts them."""
    (source,) = yaml.safe_load((PROVISIONING / "datasources/prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards/fanout.yml").read_text())["providers"]
    service = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]["grafana"]
    folders = dict(volume.split(":")[:2] for volume in service["volumes"])
    assert folders["./deploy/grafana/provisioning"] == service["environment"]["GF_PATHS_PROVISIONING"]
    assert folders["./deploy/grafana/dashboards"] == provider["options"]["path"]
    assert source["url"] == "${PROMETHEUS_URL}"
    assert service["environment"]["PROMETHEUS_URL"] == "http://prometheus:9090"
    assert source["uid"] == "prometheus"
    scraped = yaml.safe_load((REPOSITORY / "deploy/prometheus/compose.yml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped


def test_the_schema_is_that_of_the_image():
    """Of the same minor version."""
    image = defaults()["GRAFANA_IMAGE"].partition(":")[2]
    schema = metadata.version("grafana-foundation-sdk").rpartition("!")[2]
    assert image.split(".")[:2] == schema.split(".")[:2]
