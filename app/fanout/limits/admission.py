"""Who is let in, and how much each may do: the limits of bounds.py, kept for the clients of one hub's process.

What a connection is counted for stands in its scope, so that one without limits costs a look at its address alone. No
delivery passes here.
"""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any

from fanout.counters import counters
from fanout.errors import TooFast, TooManyConnections
from fanout.limits.bounds import LARGE_SECONDS, address_of, counted_address, is_unlimited, limits
from fanout.limits.bucket import Bucket, Buckets
from fanout.limits.counted import Counted
from fanout.policy import policy_for

if TYPE_CHECKING:
    from fanout.asgi import Scope
    from fanout.layers import FanoutLayer

ALLOWANCE = "fanout.allowance"
"""Where a scope holds what its client may still do; not there for one that has no limits."""
ENTERED = "fanout.entered"
"""Where it holds the address that was let in, None if nobody knows it."""
KNOWN = 8192
"""Addresses, accounts or groups that are remembered at once; beyond that the least used begin anew."""
BURST_SECONDS = 2
"""Of publications at once: a page that was offline sends what has waited."""
STORM_SECONDS = 10
"""Of handshakes at once: when a replica restarts, all of an office come back."""
FLOOD = 1000
"""Frames that may be refused, beyond as many as were taken, before the socket is closed."""


class Allowance:
    """What one client may still do."""

    __slots__ = ("_admission", "_bucket", "_bytes", "_refused", "address", "entering", "user")

    def __init__(self, admission: Admission, address: str | None) -> None:
        self._admission = admission
        self._bucket: Bucket | None = None
        self._bytes: Bucket | None = None
        self._refused = 0
        self.address = address
        """What it is counted by; None: it is exempt."""
        self.user: str | None = None
        """The account whose connections it is counted with."""
        self.entering: str | None = None
        """The one that is asked whether it has room."""

    @property
    def floods(self) -> bool:
        """Whether the client goes on and on in spite of refusals."""
        return self._refused > FLOOD

    def refused(self) -> None:
        """Note a frame that had no effect."""
        self._refused += 1

    def pay(self, scope: Scope, cost: float, size: int) -> None:
        """Take what a frame costs before it is known what it is: by its weight, and by its bytes. Raise TooFast."""
        if refused := self.refusal(scope, cost, size):
            raise refused

    def spend(self, scope: Scope, cost: float, size: int) -> None:
        """Take what a frame costs by its kind, a publication 1, and its bytes if they are not paid. Raise TooFast."""
        self.pay(scope, cost, size)
        self._refused -= self._refused > 0

    def refusal(self, scope: Scope, cost: float, size: int) -> TooFast | None:
        """Take both; or return why it can't be had, and when."""
        now, given = time.monotonic(), limits()
        if cost and (rate := given.publishes_per_connection):
            if self._bucket is None:
                self._bucket = Bucket(rate * BURST_SECONDS, now)
            if wait := self._bucket.take(rate, rate * BURST_SECONDS, now, cost):
                return _too_fast("publishes_per_connection", rate, "You send", wait)
        if size and (rate := given.bytes_per_connection):
            if self._bytes is None:
                self._bytes = Bucket(rate * LARGE_SECONDS, now)
            if wait := self._bytes.take(rate, rate * LARGE_SECONDS, now, size):
                return _too_much("bytes_per_connection", rate, "You send", wait)
        if cost < 1 and not size:
            return None
        return self._admission.take(_account_of(scope), self.address, now, cost, size)


class Admission:
    """Of one hub's process."""

    def __init__(self, layer: FanoutLayer) -> None:
        self._layer = layer
        self._counted = Counted(layer)
        self._handshakes, self._reads, self._beginnings = Buckets(KNOWN), Buckets(KNOWN), Buckets(KNOWN)
        self._publishes, self._bytes = Buckets(2 * KNOWN), Buckets(2 * KNOWN)  # of addresses, and of accounts
        self._groups: OrderedDict[str, None] = OrderedDict()
        self.addresses: Counter[str] = Counter()
        """Of all connections, exempt ones too."""

    async def enter(self, scope: Scope, *, paced: bool = True) -> Allowance | None:
        """Let a connection in; None for one that has no limits. Raise TooFast, TooManyConnections.

        One that is not `paced` comes as often as it likes: a poll, as soon as the one before was answered.
        """
        address, counted, allowance = address_of(scope), self.counted(scope), None
        if counted is not None:
            if paced:
                self._pace(counted)
            most = limits().connections_per_address
            if most and not await self._counted.enter(f"address {counted}", most):
                counters.limited["connections_per_address"] += 1
                raise TooManyConnections(
                    f"There are {most} connections from your address already: close one, or try again later."
                )
        if not is_unlimited(address):
            allowance = scope[ALLOWANCE] = Allowance(self, counted)
        if address is not None:
            self.addresses[address] += 1
        scope[ENTERED] = address
        return allowance

    def leave(self, scope: Scope) -> None:
        """Let it go. Harmless when repeated, and for one that was not let in."""
        if ENTERED not in scope:
            return
        address = scope.pop(ENTERED)
        if address is not None:
            self.addresses[address] -= 1
            if not self.addresses[address]:
                del self.addresses[address]
        allowance: Allowance | None = scope.pop(ALLOWANCE, None)
        if allowance is not None:
            if allowance.address is not None and limits().connections_per_address:
                self._counted.leave(f"address {allowance.address}")
            if allowance.user is not None:
                self._counted.leave(allowance.user)

    async def enter_account(self, scope: Scope, user: Any) -> None:
        """Count a connection for its account, too. Raise TooManyConnections."""
        allowance: Allowance | None = scope.get(ALLOWANCE)
        most, subject = limits().connections_per_user, f"user {user.pk}"
        if allowance is None or not most or subject in (allowance.user, allowance.entering):
            return
        allowance.entering = subject
        try:
            has_room = await self._counted.enter(subject, most)
        finally:
            if allowance.entering == subject:
                allowance.entering = None
        if not has_room:
            counters.limited["connections_per_user"] += 1
            raise TooManyConnections(f"Your account has {most} connections already: close another tab or device.")
        if ALLOWANCE not in scope:  # it has gone meanwhile, and nobody else takes this one back
            self._counted.leave(subject)
            return
        before, allowance.user = allowance.user, subject
        if before is not None:
            self._counted.leave(before)

    async def begin_group(self, scope: Scope, group: str, *, here: bool) -> None:
        """Let a client join or publish to a group; one that nobody uses is new. Raise TooFast, Unavailable.

        `here`: whether somebody of this process is in it.
        """
        rate = limits().new_groups_per_minute
        counted = self.counted(scope)
        if here or not rate or counted is None:
            return
        if group in self._groups:
            self._groups.move_to_end(group)
            return
        is_new = policy_for(group).history is None or not (await self._layer.top(group)).position.offset
        if is_new and (wait := self._beginnings.take(counted, rate / 60, rate, time.monotonic())):
            counters.limited["new_groups_per_minute"] += 1
            raise TooFast(f"You begin more than {rate} new groups a minute: wait {math.ceil(wait)} s.", wait)
        self._groups[group] = None
        if len(self._groups) > KNOWN:
            self._groups.popitem(last=False)

    def read(self, scope: Scope) -> None:
        """Let a request have what was published before, which is looked up for it. Raise TooFast."""
        counted, rate = self.counted(scope), limits().reads_per_second
        if counted is None:
            return
        if wait := self._reads.take(counted, rate, rate * STORM_SECONDS, time.monotonic()):
            counters.limited["reads_per_second"] += 1
            raise TooFast(f"Your address reads more than {rate} times a second: wait {math.ceil(wait)} s.", wait)

    def publish(self, scope: Scope, cost: float = 1.0, size: int = 0) -> None:
        """Let a request without a connection publish. Raise TooFast.

        What all of an address' guests publish is one account's.
        """
        if is_unlimited(address_of(scope)):
            return
        counted = self.counted(scope)
        name = _account_of(scope) or (f"guests {counted}" if counted is not None else None)
        if refused := self.take(name, counted, time.monotonic(), cost, size):
            raise refused

    def take(self, name: str | None, counted: str | None, now: float, cost: float, size: int) -> TooFast | None:
        """Take what a frame costs of an account's and of an address', where there is one; or return why not."""
        given = limits()
        if cost >= 1:
            rate = given.publishes_per_user
            if name and (wait := self._publishes.take(name, rate, rate * BURST_SECONDS, now, cost)):
                return _too_fast("publishes_per_user", rate, "You send", wait)
            rate = given.publishes_per_address
            if counted and (wait := self._publishes.take(counted, rate, rate * BURST_SECONDS, now, cost)):
                return _too_fast("publishes_per_address", rate, "Your address sends", wait)
        if size:
            rate = given.bytes_per_user
            if name and (wait := self._bytes.take(name, rate, rate * LARGE_SECONDS, now, size)):
                return _too_much("bytes_per_user", rate, "You send", wait)
            rate = given.bytes_per_address
            if counted and (wait := self._bytes.take(counted, rate, rate * LARGE_SECONDS, now, size)):
                return _too_much("bytes_per_address", rate, "Your address sends", wait)
        return None

    @staticmethod
    def counted(scope: Scope) -> str | None:
        """Return what a client is counted by; None if it is not."""
        address = address_of(scope)
        return None if address is None or is_unlimited(address) else counted_address(address)

    def stop(self) -> None:
        """Tell the fleet nothing more."""
        self._counted.stop()

    def _pace(self, counted: str) -> None:
        rate = limits().handshakes_per_second
        if wait := self._handshakes.take(counted, rate, rate * STORM_SECONDS, time.monotonic()):
            counters.limited["handshakes_per_second"] += 1
            raise TooFast(f"Your address connects more than {rate} times a second: wait {math.ceil(wait)} s.", wait)


def _account_of(scope: Scope) -> str | None:
    user = scope.get("user")
    return f"user {user.pk}" if user is not None and user.is_authenticated else None


def _too_fast(limit: str, rate: int, who: str, wait: float) -> TooFast:
    """Count a refusal, and return it."""
    counters.limited[limit] += 1
    return TooFast(f"{who} faster than {rate} publications a second: wait {wait:.1f} s.", wait)


def _too_much(limit: str, rate: int, who: str, wait: float) -> TooFast:
    """Do the same for bytes."""
    counters.limited[limit] += 1
    return TooFast(f"{who} more than {rate} bytes a second: wait {wait:.1f} s, then send less at once.", wait)
