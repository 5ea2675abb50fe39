"""A client that speaks `fanout.v1`: many groups over one socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps

from fanout import close_codes, protocol
from fanout.counters import ACCEPTED, counters
from fanout.data import encode_data
from fanout.errors import BadFrame, BadTicket, FanoutError, Forbidden, NotJoined, TooLarge, TooManyGroups
from fanout.groups import check_group
from fanout.hub import get_hub
from fanout.limits.admission import ALLOWANCE
from fanout.limits.bounds import LIGHT, check_depth, frame_limit, limits, size_of, weight_of
from fanout.policy import policy_for
from fanout.positions import Position
from fanout.replica import replica_of

if TYPE_CHECKING:
    from fanout.asgi import Scope
    from fanout.limits.admission import Allowance
    from fanout.members import Subscription
    from fanout.policy import Policy
    from fanout.sockets import Socket


COSTS = {protocol.Publish: 1.0, protocol.Authenticate: 1.0, protocol.Join: 0.25, protocol.Leave: 0.25}
"""Of what a connection may send in a second: a join is a look at Redis, a publication goes to everybody. A heavy frame
has paid more than that by its weight."""

RETRY_MS = 1000
"""Over which the clients of one batch of a drain spread their return; the batches spread the rest."""
FAREWELL = protocol.reconnect(RETRY_MS)


class Session:
    """One connection. A frame that is refused gets an `error`; the socket stays."""

    __slots__ = ("_allowance", "_ended", "_hub", "_scope", "_socket", "_subscriptions")

    def __init__(self, scope: Scope, socket: Socket) -> None:
        self._scope = scope
        self._hub = get_hub()
        self._socket = socket
        self._subscriptions: dict[str, Subscription] = {}
        self._ended = False
        self._allowance: Allowance | None = scope.get(ALLOWANCE)
        self._hub.accounts.hold(scope, self)

    async def open(self) -> bool:
        """Accept."""
        if self._allowance is not None:
            self._hub.patience.rests(self)
            self._hub.patience.awaits_account(self, self._scope)
        self._socket.farewell = FAREWELL
        self._socket.accept(protocol.SUBPROTOCOL)
        counters.handshakes[ACCEPTED] += 1
        return True

    async def receive(self, event: dict[str, Any]) -> None:
        """Answer a frame."""
        if self._ended:  # what it still sends is ignored
            return
        text, frame = event.get("text"), None
        try:
            if text is None:
                raise BadFrame("Send text frames, not binary ones.")
            weight, size = weight_of(text), size_of(text)
            if size > LIGHT and self._allowance is not None:  # paid before it is decoded
                self._allowance.pay(self._scope, weight, size)
                size = 0
            frame = protocol.decode(text)
            self._spend(0 if weight else COSTS[type(frame)], size)
            match frame:
                case protocol.Join():
                    await self._join(frame)
                case protocol.Leave():
                    self._leave(frame)
                case protocol.Authenticate():
                    await self._authenticate(frame)
                case protocol.Publish():
                    await self._publish(frame, len(text))
        except FanoutError as refused:
            counters.refusals[refused.code] += 1
            frame_id = protocol.id_of(text or "") if frame is None else frame.id
            self._socket.send(protocol.error(refused, frame_id))
            if self._allowance is not None:
                self._restrain(self._allowance)

    def _spend(self, cost: float, size: int) -> None:
        """Take what a frame costs. Raise TooFast."""
        if self._allowance is not None:
            self._allowance.spend(self._scope, cost, size)
            self._rests()

    def _rests(self) -> None:
        """Begin to wait anew for a counted client that is in no group."""
        if self._allowance is not None and not self._subscriptions and not self._ended:
            self._hub.patience.rests(self)

    def _restrain(self, allowance: Allowance) -> None:
        """Close the socket of a client that goes on and on in spite of refusals."""
        allowance.refused()
        if allowance.floods:
            counters.limited["floods"] += 1
            self.dismiss(close_codes.FLOODING, "You go on in spite of refusals: slow down before you come back.")

    async def disconnect(self) -> None:
        """Leave all groups."""
        self._leave_all()
        self._hub.let_go(self._scope)

    def dismiss(self, code: int, reason: str) -> None:
        """See Holder."""
        self._ended = True
        self._leave_all()
        self._socket.close(code, reason)

    async def recheck(self) -> None:
        """See Holder."""
        for group in tuple(self._subscriptions):
            if await policy_for(group).may_join(self._scope, group) or self._ended:
                continue
            if subscription := self._subscriptions.pop(group, None):
                self._hub.leave(subscription)
                self._rests()
                counters.refusals[Forbidden.code] += 1
                self._socket.send(protocol.expelled(Forbidden(f"You may not be in {group} any more."), group))

    def _leave_all(self) -> None:
        for subscription in self._subscriptions.values():
            self._hub.leave(subscription)
        self._subscriptions.clear()

    async def _join(self, frame: protocol.Join) -> None:
        policy = policy_for(check_group(frame.group))
        if not await policy.may_join(self._scope, frame.group):
            raise Forbidden(f"You may not join {frame.group}.")
        since = Position(frame.since.epoch, frame.since.offset) if frame.since else None
        most = limits().groups_per_connection
        if most and frame.group not in self._subscriptions and len(self._subscriptions) >= most:
            counters.limited["groups_per_connection"] += 1
            raise TooManyGroups(f"A socket may be in {most} groups at once: leave one, or open another socket.")
        info = await self._info(policy, frame)
        await self._hub.admit(self._scope, frame.group)
        if frame.group in self._subscriptions:
            self._hub.leave(self._subscriptions.pop(frame.group))
        entry = await self._hub.join(
            frame.group,
            self._socket,
            protocol.ENCODER,
            since=since,
            last=frame.last,
            info=info,
            watch=frame.presence,
        )
        if self._ended:
            self._hub.leave(entry.subscription)
            return
        self._subscriptions[frame.group] = entry.subscription
        self._hub.patience.works(self)
        joined = protocol.joined(frame, replica_of(self._scope), entry)
        self._socket.send(joined, *map(protocol.ENCODER.publication, entry.recovered))

    async def _info(self, policy: Policy, frame: protocol.Join) -> Any:
        if frame.info is not None and len(encode_data(frame.info)) > protocol.INFO_LIMIT:
            raise TooLarge(f"`info` may hold {protocol.INFO_LIMIT} bytes of JSON.")
        return await policy.member(self._scope, frame.group, frame.info)

    async def _authenticate(self, frame: protocol.Authenticate) -> None:
        if not apps.is_installed("django.contrib.auth"):
            raise BadTicket("This site has no accounts, and so no tickets.")
        from fanout.accounts.tickets import redeem  # it needs Django's accounts, which a project need not have

        if self._subscriptions:
            raise BadFrame("Authenticate before you join groups.")
        await redeem(self._scope, frame.ticket)
        self._socket.send(protocol.authenticated(frame))

    def _leave(self, frame: protocol.Leave) -> None:
        subscription = self._subscriptions.pop(check_group(frame.group), None)
        if subscription is None:
            raise NotJoined(f"You are not in {frame.group}.")
        self._hub.leave(subscription)
        self._rests()
        self._socket.send(protocol.left(frame))

    async def _publish(self, frame: protocol.Publish, size: int) -> None:
        policy = policy_for(check_group(frame.group))
        if size > (most := frame_limit(policy)):
            counters.limited["frame_bytes"] += 1
            raise TooLarge(f"A frame for {frame.group} may hold {most} characters; this one has {size}.")
        check_depth(frame.data)
        if not await policy.may_publish(self._scope, frame.group):
            raise Forbidden(f"You may not publish to {frame.group}.")
        data = await policy.accept(self._scope, frame.group, frame.data)
        await self._hub.admit(self._scope, frame.group)
        position = await self._hub.publish(frame.group, data, key=frame.key)
        self._socket.send(protocol.ack(frame, position))
