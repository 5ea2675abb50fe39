"""The scanner's policies, and the exceptions from them."""

import re

import yaml

from fleet.kubernetes import manifests
from fleet.kubernetes.static import scan


def test_every_exception_has_its_reason():
    """In the configuration a comment above it, in a manifest words behind it."""
    text = scan.CONFIGURATION.read_text()
    skipped = yaml.safe_load(text)["skip-check"]
    for policy in skipped:
        assert re.search(rf"^  # .+\n  - {policy}$", text, re.MULTILINE)
    for path in manifests.files():
        for line in re.findall(r"checkov\.io/skip\d+: (.*)", path.read_text()):
            assert re.fullmatch(r"CKV_K8S_\d+=.{20,}\.", line)


def test_the_lock_has_hashes_and_the_input_is_named():
    """So that what scans is what was looked at."""
    text = scan.LOCK.read_text()
    assert text.count("--hash=sha256:") > text.count("==")
    assert "checkov==" in text
