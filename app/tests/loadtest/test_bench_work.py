from dataclasses import replace

import pytest

from bench.errors import UnlikeWorkError
from bench.work import Work, differences, refuse_unlike

WORK = Work(sockets=500, fan_out=500, rate=60)
OTHER = {
    "sockets": 501, "fan_out": 1, "rate": 4, "payload": 101, "coalescing": "20 ms", "durable": True,
    "protocol": "fanout.v1", "replicas": 2, "edge": "nginx",
}  # fmt: skip


def test_every_field_is_tried():
    """A new field of Work has to be compared too."""
    assert set(differences(WORK, replace(WORK, **OTHER))) == set(OTHER) == set(WORK.__dataclass_fields__)


@pytest.mark.parametrize("field", OTHER)
def test_unlike_work_is_refused(field):
    """Whatever differs and was not declared is named, with both values."""
    other = replace(WORK, **{field: OTHER[field]})
    with pytest.raises(UnlikeWorkError, match=f"not compared: {field} "):
        refuse_unlike(WORK, other)
    refuse_unlike(WORK, other, allowed=(field,))


def test_a_declared_difference_excuses_no_other():
    """A row that declares another rate still refuses another payload."""
    with pytest.raises(UnlikeWorkError, match="payload 100 against 2048"):
        refuse_unlike(WORK, replace(WORK, rate=4, payload=2048), allowed=("rate",))
