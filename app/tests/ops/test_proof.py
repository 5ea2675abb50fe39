"""The groups in which operators prove latest values."""

import pytest

from fanout.errors import BadData, TooLarge
from ops.proof import ProofPolicy

POLICY = ProofPolicy()


def test_a_value_is_the_latest_of_its_name():
    """Name and message pass, nothing else does."""
    data = POLICY.clean({"name": "cpu", "message": "17", "extra": 1})
    assert data == {"name": "cpu", "message": "17"}
    assert POLICY.value_key(data) == "cpu"
    assert POLICY.history is None


@pytest.mark.parametrize(
    "data", [None, [], "x", {}, {"name": "cpu"}, {"message": "17"}, {"name": "", "message": "1"},
             {"name": "n" * 65, "message": "1"}, {"name": 1, "message": "1"}, {"name": "cpu", "message": 1}],
)  # fmt: skip
def test_anything_else_is_refused(data):
    """The sentence shows what is right."""
    with pytest.raises(BadData, match='"name": "cpu"'):
        POLICY.clean(data)


def test_a_value_is_small():
    """Some KiB, in bytes."""
    POLICY.clean({"name": "cpu", "message": "x" * 4096})
    with pytest.raises(TooLarge, match="4 KiB"):
        POLICY.clean({"name": "cpu", "message": "ü" * 2049})
