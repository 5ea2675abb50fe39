"""The proof of horizontal broadcast: `locust -f loadtest/ws.py`. README.md says how to read its verdict."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / name) for name in ("app", "loadtest")]

from locust import events  # noqa: E402 - behind the path

from proof import options  # noqa: E402
from proof.generator.conductor import Conductor  # noqa: E402
from proof.generator.users import BigRoomUser, DashboardUser, PlainUser, ReconnectingUser, RoomUser, SlowUser  # noqa: E402

__all__ = ["BigRoomUser", "DashboardUser", "PlainUser", "ReconnectingUser", "RoomUser", "SlowUser"]

events.init_command_line_parser.add_listener(options.add)
events.init.add_listener(Conductor.install)
