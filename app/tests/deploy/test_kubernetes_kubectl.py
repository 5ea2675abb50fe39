"""What kubectl says on its way out, as sentences; which clusters are for tests."""

import pytest

from fleet.errors import UsageError
from fleet.kubernetes import doctor, loading, verbs
from fleet.kubernetes.kubectl import ClusterError, Context, Kubectl, explain, require
from fleet.options import read


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("error: current-context is not set", "kubectl has no cluster"),
        ("The connection to the server localhost:8080 was refused - did you specify…", "kubectl has no cluster"),
        ("The connection to the server 10.0.0.1:6443 was refused", "does not answer"),
        ("Unable to connect to the server: dial tcp: lookup a.example: no such host", "does not answer"),
        ('Error from server (Forbidden): pods is forbidden: User "a" cannot list', "does not let this account"),
        ("error: something new", "`kubectl get pods` failed:\nerror: something new"),
        ("", "it gave no reason"),
    ],
)
def test_what_kubectl_says_becomes_a_sentence(said, sentence):
    """One that says what to do, where that is known."""
    assert sentence in explain(["get", "pods"], said)


def test_without_kubectl_a_sentence_says_so():
    """No stack trace."""
    with pytest.raises(ClusterError, match="There is no `no-such-kubectl` here: install it"):
        require(Kubectl("no-such-kubectl"))
    with pytest.raises(ClusterError, match="There is no `no-such-kubectl` here: install it"):
        Kubectl("no-such-kubectl").call("get", "pods")


@pytest.mark.parametrize(
    ("name", "server", "is_for_tests"),
    [
        ("kind-a", "https://203.0.113.1:6443", True),
        ("k3d-a", "https://a.example", True),
        ("minikube", "https://192.168.49.2:8443", True),
        ("mine", "https://127.0.0.1:6443", True),
        ("production", "https://10.0.0.1:6443", False),
        ("my-kind", "https://127.0.0.1.example.org", False),
        ("", "", False),
    ],
)
def test_a_cluster_of_this_machine_is_for_tests(name, server, is_for_tests):
    """Nobody else depends on it."""
    assert Context(name, server).is_for_tests is is_for_tests


@pytest.mark.parametrize(("version", "count"), [("v1.35.4", 0), ("v1.29.0+k3s1", 0), ("v1.28.9", 1), ("v2.0.0", 0)])
def test_an_old_kubernetes_is_told(version, count):
    """With the oldest that works."""
    found = doctor.of_version(version)
    assert len(found) == count
    assert all("1.29 at least" in finding.sentence for finding in found)


def test_a_node_may_have_images_without_a_name():
    """As it has when another image took the name over."""
    images = [
        {"names": ["docker.io/library/fanout-app:1", "docker.io/library/fanout-app@sha256:0"]},
        {"names": None},
        {},
    ]
    assert doctor.short_names(images) == {"fanout-app:1", "fanout-app@sha256:0"}


@pytest.mark.parametrize(
    ("context", "command"),
    [
        (Context("kind-a-b", ""), ["kind", "load", "image-archive", "{archive}", "--name", "a-b"]),
        (Context("k3d-a", ""), ["k3d", "image", "import", "{archive}", "--cluster", "a"]),
        (Context("minikube", ""), ["minikube", "image", "load", "{archive}"]),
    ],
)
def test_the_context_says_how_images_are_loaded(context, command):
    """Each program that makes clusters has its own way."""
    assert loading.way(context) == command


def test_a_loader_of_ones_own_wins():
    """The archive stands where it is wanted, or at the end."""
    assert loading.way(Context("kind-a", ""), "mine --to node") == ["mine", "--to", "node", "{archive}"]
    assert loading.way(Context("", ""), "mine {archive} node") == ["mine", "{archive}", "node"]
    with pytest.raises(UsageError, match="How to load images into production is not known here"):
        loading.way(Context("production", "https://a.example"))


def test_verbs_that_are_kubectls_say_so(run):
    """`make up MODE=k8s` names the command."""
    asked = read(["up", "--mode", "k8s"], {})
    assert verbs.is_meant(asked)
    with pytest.raises(UsageError, match="kubectl apply -f k8s"):
        verbs.do(asked, run)
    assert verbs.is_meant(read(["images"], {}))
    assert not verbs.is_meant(read(["status"], {}))
    assert not verbs.is_meant(read(["check", "--mode", "k8s"], {}))
