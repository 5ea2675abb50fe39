"""`make restart` under load: what clients that resume notice of a deploy."""

import pytest

from bench import deploy
from bench.parts.restart import USUAL, WORST
from tests.busy import slowed

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


async def test_a_deploy_loses_nothing(own_fleet):
    """Every replica is restarted while numbers are published: none is lost or doubled, and nobody waits long."""
    noticed = await deploy.during(lambda: own_fleet.make("restart"), f"{own_fleet.ws_url}/ws/")
    print(f"\n{noticed}")  # noqa: T201 - the figures are the proof
    assert (noticed.lost, noticed.doubled, noticed.disordered, noticed.resets) == (0, 0, 0, 0)
    assert noticed.returned == deploy.CLIENTS
    assert noticed.usual < USUAL * slowed()
    assert noticed.silences[-1] < WORST * slowed()
