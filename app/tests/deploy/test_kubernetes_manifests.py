"""The files of k8s/ as another version has them."""

from fanout import __version__
from fleet.kubernetes import manifests


def test_the_version_is_the_packages():
    """Read without importing it."""
    assert manifests.version() == __version__


def test_another_version_is_other_images_and_other_jobs():
    """And nothing else: an upgrade leaves servers, secrets and names of the rest alone."""
    before, after = manifests.text().splitlines(), manifests.text("9.8.7-x").splitlines()
    changed = [(old.strip(), new.strip()) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 8
    for old, new in changed:
        back = new.replace("9.8.7-x", __version__).replace("9-8-7-x", manifests.label(__version__))
        assert back == old
        assert new.startswith(("image: fanout-", "name: migrate-", "name: secrets-"))
    assert manifests.job("migrate", "9.8.7-x") == "migrate-9-8-7-x"


def test_a_longer_version_is_another_one():
    """0.1.0 is no part of 0.1.0.1."""
    assert manifests.at(f"image: fanout-app:{__version__}.1", "2") == f"image: fanout-app:{__version__}.1"


def test_every_image_is_listed_once():
    """Ours with the version, and what others make."""
    names = manifests.images()
    assert len(set(names)) == len(names) == 5
    assert {name for name in names if name.endswith(f":{__version__}")} == {
        f"{name}:{__version__}" for name in manifests.OURS
    }
