"""Rounds and gems, drawn from a number."""

import os
import subprocess
import sys
from pathlib import Path

from demos.game.arena import HEIGHT, TOUCH, WIDTH
from demos.game.rounds import AT_ONCE, GEMS, SECONDS, round_at
from fanout.history import KEY_WINDOW

APP = Path(__file__).resolve().parents[2]


def test_every_process_draws_the_same_round():
    """Another interpreter with another hash seed tells the same gems; another arena and another minute have others."""
    code = "from demos.game.rounds import round_at; print(round_at('main', 6000.0).as_data())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=APP,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )  # fmt: skip
    assert done.stdout.strip() == str(round_at("main", 6000.0).as_data())
    assert round_at("main", 6000.0) == round_at("main", 6000.0 + SECONDS - 0.001)
    assert round_at("main", 6000.0).gems != round_at("main", 6000.0 + SECONDS).gems
    assert round_at("main", 6000.0).gems != round_at("other", 6000.0).gems


def test_gems_lie_where_players_can_go_and_come_one_by_one():
    """All within the walls; some at once, then one a second, the last before the round ends."""
    current = round_at("main", 0.0)
    assert len(current.gems) == GEMS
    assert all(TOUCH < gem.x < WIDTH - TOUCH and TOUCH < gem.y < HEIGHT - TOUCH for gem in current.gems)
    times = [gem.after for gem in current.gems]
    assert times[:AT_ONCE] == [0.0] * AT_ONCE
    assert times[AT_ONCE:] == [float(second) for second in range(1, GEMS - AT_ONCE + 1)]
    assert times[-1] < SECONDS


def test_a_gem_is_touched_from_when_it_is_there():
    """Not before, and not from further away than an arm's length."""
    current = round_at("main", 600.0)
    gem = current.gems[-1]
    assert gem not in current.touched(gem.x, gem.y, current.begins + gem.after - 0.01)
    assert gem in current.touched(gem.x, gem.y, current.begins + gem.after)
    assert gem not in current.touched(gem.x + TOUCH + 1, gem.y, current.begins + gem.after)


def test_a_claims_key_outlives_its_round():
    """Redis forgets no gem's owner before the round is over."""
    assert KEY_WINDOW > 2 * SECONDS
