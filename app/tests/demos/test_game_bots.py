"""The bots, and the command that drives them on a real fleet."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from demos.game.arena import HEIGHT, SPEED, WIDTH
from demos.game.bots import PACE, Bot, Fleet, Gems
from demos.game.rounds import AT_ONCE, round_at
from demos.game.walker import Walker
from tests.busy import slowed
from tests.fleets import clean_environment

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"


def bots(*arguments):
    """Run the command; return its exit code and all that it printed."""
    done = subprocess.run(
        [sys.executable, MANAGE, "bots", *map(str, arguments)],
        env=clean_environment(), capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_bot_walks_to_a_gem_and_takes_no_liberties():
    """Step by step, each of which the server would take, to one that is there; what is taken draws nobody."""
    bot, gems, now = Bot("Ada", "main", 7), Gems(), 6000.0
    current = round_at("main", now)
    walker = Walker(bot.x, bot.y, now)

    def reached():
        return [gem for gem in current.gems[:AT_ONCE] if math.dist((gem.x, gem.y), (bot.x, bot.y)) < 1]

    while not reached():
        now += 0.05
        assert now < 6000 + WIDTH / (PACE * SPEED) + 5
        bot.step(gems, 0.05, 6000.0)
        walker.step(round(bot.x), round(bot.y), now)
    (goal,) = reached()
    gems.hear({"round": current.number, "gem": goal.number, "by": "a", "name": "Ada"})
    bot.step(gems, 0.05, 6000.0)
    assert goal not in reached()


def test_bots_do_not_all_walk_to_the_same_gem():
    """Each has a taste of its own."""
    gems, goals = Gems(), set()
    for seed in range(8):
        bot = Bot("Ada", "main", seed)
        bot.x = bot.y = 400.0
        bot.step(gems, 100.0, 6000.0)
        goals.add((bot.x, bot.y))
    assert len(goals) > 1


def test_a_bot_without_a_gem_strolls_within_the_walls():
    """It never stands for long, and never leaves."""
    bot, gems = Bot("Ada", "main", 7), Gems()
    for gem in round_at("main", 6000.0).gems:
        gems.hear({"round": 100, "gem": gem.number, "by": "a", "name": "Ada"})
    places = set()
    for _ in range(400):
        bot.step(gems, 0.05, 6000.0)
        assert 0 <= bot.x <= WIDTH
        assert 0 <= bot.y <= HEIGHT
        places.add((round(bot.x), round(bot.y)))
    assert len(places) > 300


def test_cpu_is_counted_of_replicas_that_were_there_throughout():
    """One that began anew counts from zero, one that is new not at all; other numbers are no news."""
    fleet = Fleet()
    for replica, seconds in (("web-1", 10.0), ("web-2", 50.0)):
        fleet.hear({"replica": replica, "cpu_seconds": seconds})
    before = dict(fleet.cpu)
    for data in (
        None,
        {"temperature": 5},
        {"replica": "web-1", "cpu_seconds": 12.5},
        {"replica": "web-2", "cpu_seconds": 1},
    ):
        fleet.hear(data)
    fleet.hear({"replica": "web-3", "cpu_seconds": 99.0})
    assert fleet.spent_since(before) == 2.5


@pytest.mark.cluster
@pytest.mark.slow
def test_bots_play_and_the_cost_of_a_player_is_printed(fleet):
    """Through nginx, on whichever replicas; nothing they do is refused, and a figure is told.

    It is no more than a difference here: what the replicas did before is taken off, and other tests run beside.
    """
    code, said = bots(6, "--url", fleet.base_url, "--arena", "bots", "--seconds", 3)
    assert code == 0, said
    steps = int(re.search(r"6 players for \d+ s: (\d+) steps a second \(asked for 120\)", said)[1])
    assert 20 / slowed() <= steps <= 130, said
    busy, refused = slowed() > 2, re.findall(r"refused \d+ times: (.*)", said)
    assert not refused or (busy and all("Too fast" in each for each in refused)), said  # a step after a stall
    if not busy or "unknown, the fleet's board said nothing" not in said:
        assert float(re.search(r"(-?[\d.]+) ms a second per player", said)[1]) < 200, said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((0,), "COUNT must be 1 to 500, not 0"),
        ((501,), "COUNT must be 1 to 500"),
        ((5, "--url", "localhost:8080"), "--url must begin with http"),
        ((5, "--arena", "a b"), "--arena must be 1 to 64 letters"),
        ((5, "--seconds", 0), "--seconds must be more than 0"),
        (
            (2, "--url", "http://127.0.0.1:9"),
            "No ticket came from http://127.0.0.1:9/game/ticket: [Errno 111] Connection refused. Is the fleet up",
        ),
        (("x",), "invalid int value"),
    ],
)
def test_what_it_cannot_do_it_says_in_a_sentence(arguments, sentence):
    """An exit code that is not 0 and no stack trace."""
    code, said = bots(*arguments)
    assert code != 0
    assert sentence in said
    assert "Traceback" not in said
