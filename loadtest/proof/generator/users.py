"""What Locust starts: each user is one client of the run's station, and lives until it is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from gevent.event import Event
from locust import User, tag

from proof.clients.group_client import GroupClient
from proof.clients.habits import DashboardClient, DroppingClient, SlowClient
from proof.clients.plain_client import PlainClient
from proof.generator import session

if TYPE_CHECKING:
    from proof.clients.client import Client
    from proof.generator.station import Station

BIG = "big"
"""The one room in which all meet."""


class ProofUser(User):
    """Base of them all."""

    abstract = True
    label: ClassVar[str] = ""
    """For --tags."""
    is_plain: ClassVar[bool] = False
    """Whether it does without fanout.v1."""

    def run_client(self) -> None:
        """Be a client until the user is stopped."""
        station = session.station()
        if station is None:
            Event().wait()
        else:
            self.client(station).run()

    def client(self, station: Station) -> Client:
        """Return the client of this user."""
        raise NotImplementedError


def _live(label: str) -> Any:
    """Return the one task of a class, which --tags finds by its label."""

    def live(user: ProofUser) -> None:
        user.run_client()

    return tag(label)(live)


class BigRoomUser(ProofUser):
    """One room for all: the widest fan-out."""

    weight = 4
    label = "big"
    tasks: ClassVar = [_live("big")]

    def client(self, station: Station) -> Client:
        """Judge strictly."""
        return GroupClient(station, "BigRoomUser", BIG, BIG)


class RoomUser(ProofUser):
    """Chat rooms of some dozens of users each."""

    weight = 3
    label = "rooms"
    tasks: ClassVar = [_live("rooms")]

    def client(self, station: Station) -> Client:
        """Take the next room, over all processes."""
        plan = station.plan
        own = station.kind("RoomUser").users
        return GroupClient(station, "RoomUser", "rooms", f"room-{plan.number(own) % plan.rooms}")


class ReconnectingUser(ProofUser):
    """Loses its connection every few seconds and resumes."""

    weight = 1
    label = "reconnecting"
    tasks: ClassVar = [_live("reconnecting")]

    def client(self, station: Station) -> Client:
        """Read through the core of fanout.client."""
        return DroppingClient(station, "ReconnectingUser", BIG, BIG)


class SlowUser(ProofUser):
    """Reads with long pauses; may be cut off, and resumes."""

    weight = 1
    label = "slow"
    tasks: ClassVar = [_live("slow")]

    def client(self, station: Station) -> Client:
        """Read through the core of fanout.client."""
        return SlowClient(station, "SlowUser", BIG, BIG)


class DashboardUser(ProofUser):
    """Wants the latest value of each publisher, as a dashboard does."""

    weight = 1
    label = "dashboard"
    tasks: ClassVar = [_live("dashboard")]

    def client(self, station: Station) -> Client:
        """Pass over what is superseded."""
        return DashboardClient(station, "DashboardUser", "latest", "latest")


class PlainUser(ProofUser):
    """The client of Channels' tutorial."""

    weight = 1
    label = "plain"
    tasks: ClassVar = [_live("plain")]
    is_plain = True

    def client(self, station: Station) -> Client:
        """Know no positions."""
        return PlainClient(station, "PlainUser", BIG, BIG)
