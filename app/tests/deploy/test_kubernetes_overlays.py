"""deploy/kubernetes/ reuses k8s/ by kustomize: what comes out is whole, and nothing is kept twice."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml

from config.env import read
from fleet.kubernetes import manifests
from fleet.kubernetes.static import schemas, security, tree, wiring
from fleet.options import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "kubernetes"
COMPONENTS = ("external-redis", "external-postgres", "tls", "exporters", "registry")

pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="there is no kubectl, which has kustomize in it"
)


def rendered(folder):
    """What kustomize makes of a folder."""
    command = ["kubectl", "kustomize", "--load-restrictor", "LoadRestrictionsNone", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return tree.parse([("rendered", done.stdout)])


@pytest.fixture(scope="module")
def build():
    """Return what kustomize makes of the base with some components."""

    def make(*components):
        with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".test-") as folder:
            text = yaml.safe_dump({
                "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
                "resources": ["../base"], "components": [f"../{name}" for name in components],
            })  # fmt: skip
            Path(folder, "kustomization.yaml").write_text(text)
            return rendered(folder)

    return make


def of_load_test(whole):
    """The rendered objects without the load test's, which k8s/ does not hold."""
    return [thing for thing in whole.things if thing.file.startswith("k8s/")]


def environment(whole):
    return next(thing.body["data"] for thing in whole.of("ConfigMap") if thing.name == "environment")


def test_the_base_is_k8s(build):
    """Every file of it, with nothing added."""
    listed = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text())["resources"]
    assert listed == [f"../../../k8s/{path.name}" for path in manifests.files()]
    bodies = {(thing.kind, thing.name): thing.body for thing in build().things}
    assert bodies == {(thing.kind, thing.name): thing.body for thing in of_load_test(tree.read())}


@pytest.mark.parametrize("components", [*((name,) for name in COMPONENTS), COMPONENTS])
def test_what_comes_out_is_whole(build, components):
    """Each component alone and all together: nothing leads to what was taken away."""
    whole = build(*components)
    for part in (schemas, security, wiring):
        assert list(part.problems(whole)) == []


def test_external_servers_take_the_place_of_ours(build, tmp_path):
    """Their pods, Services, budgets and policies go; the application accepts the addresses."""
    whole = build("external-redis", "external-postgres")
    assert not whole.of("StatefulSet")
    assert {thing.name for thing in whole.of("Service", "PodDisruptionBudget")} == {"web", "worker"}
    assert "redis" not in {thing.name for thing in whole.of("NetworkPolicy", "ConfigMap", "ServiceAccount")}
    (tmp_path / "secret").write_text("x" * 50)
    data = {
        name: str(tmp_path / "secret") if name.endswith("_FILE") else value
        for name, value in environment(whole).items()
    }
    found = read(data)
    assert found.redis_hosts[0].startswith("rediss://")
    assert found.database.options == {"sslmode": "require"}


def test_a_host_stands_in_one_place(build):
    """The certificate's and Django's follow the Ingress'."""
    whole = build("tls")
    spec = whole.of("Ingress")[0].spec
    host = spec["rules"][0]["host"]
    assert spec["tls"] == [{"hosts": [host], "secretName": "web-tls"}]
    assert environment(whole)["FANOUT_ALLOWED_HOSTS"].split(",")[:2] == [host, "localhost"]


def test_a_registry_stands_before_every_image(build):
    """With the tags as they were."""
    names = [container["image"] for maker in build("registry").makers() for container in maker.containers]
    assert {name.rpartition("/")[0] for name in names} == {"registry.example.org/team"}
    assert {name.rpartition("/")[2] for name in names} <= set(manifests.images())


def test_exporters_stand_beside_what_they_look_at(build):
    """Each at the port that its monitor names, and Prometheus gets there."""
    whole = build("exporters")
    containers = {each["name"]: each for maker in whole.makers() for each in maker.containers}
    doors = [rule for thing in whole.of("NetworkPolicy") for rule in thing.spec.get("ingress", ())]
    monitors = list(yaml.safe_load_all((REPOSITORY / "deploy/prometheus/pod-monitor.yaml").read_text()))
    for server in ("nginx", "redis"):
        (monitor,) = [each for each in monitors if each["metadata"]["name"] == server]
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert endpoint["port"] in {port["name"] for port in containers[f"{server}-exporter"]["ports"]}
        assert {"targetLabel": "job", "replacement": server} in endpoint["relabelings"]
        assert any(port["port"] == endpoint["port"] for rule in doors for port in rule["ports"])


def test_the_example_has_everything():
    """As its own first lines say how to apply it."""
    listed = yaml.safe_load((FOLDER / "example" / "kustomization.yaml").read_text())
    assert listed["components"] == [f"../{name}" for name in COMPONENTS]
    assert len(rendered(FOLDER / "example").things) == len(of_load_test(tree.read())) - 11
