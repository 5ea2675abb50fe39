"""What takes a permission ends the places in groups that it was for."""

import asyncio

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import Group, Permission, User

from fanout import policy
from fanout.accounts import connected
from fanout.hub import get_hub
from fanout.policy import Policy
from tests.fanout.accounts.sessions import LIMIT, Staff, Watchers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("kinds")]


async def test_a_permission_that_is_taken_ends_the_place_it_was_for(connect, ada):
    """Of a group of users, or of the account itself; the socket stays, other groups go on, and it may not come back."""
    user, key = ada
    permission = await Permission.objects.aget(codename="view_group")
    club = await Group.objects.acreate(name="club")
    await club.permissions.aadd(permission)
    await user.groups.aadd(club)
    for taking in ("of the user", "of the group", "the group"):
        if not await Group.objects.filter(name="club").aexists():
            club = await Group.objects.acreate(name="club")
        await club.permissions.aadd(permission)
        await user.groups.aadd(club)
        client = await connect(key, "watchers.a", "members.a")
        match taking:
            case "of the user":
                await user.groups.aclear()
            case "of the group":
                await club.permissions.aremove(permission)
            case _:
                await club.adelete()
        told = await client.receive_json_from(timeout=LIMIT)
        assert told.pop("message") == "You may not be in watchers.a any more."
        assert told == {"type": "error", "id": None, "code": "forbidden", "group": "watchers.a"}
        await client.send_json_to({"type": "join", "group": "watchers.a", "id": 2})
        assert (await client.receive_json_from(timeout=LIMIT))["code"] == "forbidden"
        await client.send_json_to({"type": "publish", "group": "members.a", "data": 1})
        assert {(await client.receive_json_from(timeout=LIMIT))["type"] for _ in range(2)} == {"ack", "publication"}


RIGHTS = {
    "a group": lambda user: User.groups.through.objects.filter(user=user)._raw_delete("default"),
    "a permission": lambda user: User.user_permissions.through.objects.filter(user=user)._raw_delete("default"),
    "a permission of a group": lambda user: Group.permissions.through.objects.all()._raw_delete("default"),
    "staff": lambda user: User.objects.filter(pk=user.pk).update(is_staff=False),
}
"""Ways to take a right of which no signal tells."""


@pytest.mark.parametrize("taken", RIGHTS)
async def test_a_right_that_is_taken_without_a_signal_is_found(connect, ada, taken, monkeypatch):
    """By a look at the database; the place it was for ends, the socket stays."""
    user, key = ada
    permission = await Permission.objects.aget(codename="view_group")
    if taken == "staff":
        monkeypatch.setitem(policy._policies, Watchers.kind, Staff())
        await User.objects.filter(pk=user.pk).aupdate(is_staff=True)
    elif taken == "a permission":
        await user.user_permissions.aadd(permission)
    else:
        club = await Group.objects.acreate(name="club")
        await club.permissions.aadd(permission)
        await user.groups.aadd(club)
    monkeypatch.setattr(connected, "SWEEP_EVERY", 0.1)
    client = await connect(key, "watchers.a", "members.a")
    async with asyncio.timeout(LIMIT):
        while not get_hub().accounts._rights:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    await database_sync_to_async(RIGHTS[taken])(user)
    told = await client.receive_json_from(timeout=LIMIT)
    assert (told["code"], told["group"]) == ("forbidden", "watchers.a")
    assert list(get_hub().groups) == ["members.a"]


async def test_many_are_asked_together_what_they_may(ada, monkeypatch):
    """A policy may wait for something of its own: the next connection is not asked only behind it."""
    together = asyncio.Barrier(connected.AT_ONCE)

    class Waiting(Policy):
        kind = "waiting"

        async def may_join(self, scope, group):
            await together.wait()
            return False

    class Holder:
        def __init__(self, scope):
            self.scope, self.told = scope, None
            scope[connected.HOLDER] = self

        def dismiss(self, code, reason):
            self.told = reason

        async def recheck(self):
            self.told = await Waiting().may_join(self.scope, "waiting.a")

    hub = get_hub()
    monkeypatch.setattr(connected, "SWEEP_EVERY", 3600)
    holders = [Holder({"type": "websocket"}) for _ in range(2 * connected.AT_ONCE)]
    for holder in holders:
        hub.accounts.note(holder.scope, ada[0], None)
    async with asyncio.timeout(LIMIT):
        await hub.accounts._review([holder.scope for holder in holders])
    assert [holder.told for holder in holders] == [False] * len(holders)
