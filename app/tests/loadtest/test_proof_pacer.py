from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace

import gevent
import pytest

from proof.generator.clock import Clock
from proof.generator.pacer import Pacer, Wheel


@dataclass(eq=False)
class Speaker:
    """Somebody who may be asked to speak."""

    group: str
    lane: str = "big"
    rank: int = 0


def turns(wheel, count):
    """Who speaks, in order."""
    return [wheel.next() for _ in range(count)]


def test_replicas_speak_alike_however_many_clients_each_has():
    """A replica with one client speaks as often as one with ten: each row of the matrix fills."""
    wheel = Wheel(most=2)
    crowd, alone = [Speaker("chat.a") for _ in range(10)], Speaker("chat.a")
    for speaker in crowd:
        wheel.add(speaker, "web-1")
    wheel.add(alone, "web-2")
    heard = Counter(turns(wheel, 40))
    assert heard[alone] == 20
    assert sorted(heard[speaker] for speaker in crowd) == [0] * 8 + [10, 10]


def test_lanes_and_groups_share_the_rate():
    """Many rooms together speak as often as the one big room."""
    wheel = Wheel(most=2)
    big, rooms = Speaker("chat.big"), [Speaker(f"chat.{number}", "rooms") for number in range(5)]
    for speaker in (big, *rooms):
        wheel.add(speaker, "web-1")
    heard = Counter(turns(wheel, 100))
    assert heard[big] == 50
    assert [heard[speaker] for speaker in rooms] == [10] * 5


def test_who_is_likely_to_be_cut_off_speaks_where_nobody_else_is():
    """Plain and reconnecting clients are asked last."""
    wheel = Wheel(most=2)
    steady, shaky = Speaker("chat.a"), Speaker("chat.a", rank=1)
    wheel.add(shaky, "web-1")
    assert turns(wheel, 2) == [shaky, shaky]
    wheel.add(steady, "web-1")
    assert turns(wheel, 2) == [steady, steady]
    wheel.remove(steady, "web-1")
    assert turns(wheel, 1) == [shaky]
    wheel.remove(shaky, "web-1")
    assert turns(wheel, 1) == [None]


class Refuser(Speaker):
    """It can't."""

    def publish(self, due):
        raise OSError("no way")


@pytest.mark.parametrize(("speaker", "failed"), [(Refuser("chat.a"), True), (None, False)])
def test_a_pacer_that_failed_is_known(speaker, failed):
    """One that was stopped has not failed."""
    pacer = Pacer(SimpleNamespace(workers=1, rate=1000, index=0, publishers=1), Clock())
    if speaker is not None:
        pacer.wheel.add(speaker, "web-1")
    pacer.start()
    with gevent.Timeout(30):
        while failed and not pacer.has_failed:
            gevent.sleep(0.001)
    pacer.stop()
    assert pacer.has_failed is failed
