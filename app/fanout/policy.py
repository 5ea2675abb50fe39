"""What a kind of group allows and keeps; a demo or a project registers one for each of its kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from fanout.groups import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanout.asgi import Scope
    from fanout.history import History

KIB = 1024


class Policy:
    """The rules of one kind. Subclass, set `kind`, override what differs, `register()` an instance.

    Groups of a kind that nobody registered are ephemeral and closed to clients: server code may use
    them, a stranger who guesses a name may not.
    """

    kind: ClassVar[str] = ""

    history: ClassVar[History | None] = None
    """What the group's stream keeps: set it and the group is durable; None is ephemeral."""

    presence: ClassVar[bool] = False
    """Whether the fleet keeps who is in the group, and tells clients that ask for it."""

    frame_limit: ClassVar[int] = 512 * KIB
    """Characters of a client's frame: 64 KiB of text may take 384 KiB in JSON escapes."""

    flush_interval: ClassVar[float] = 0.02
    """Seconds: a publication leaves at once if none left within it, else with the others at its end. 0: off."""

    outbox_limit: ClassVar[int] = 1024 * KIB
    """Bytes that may wait for one socket before it is closed as too slow (4008).

    What other groups have waiting for it counts, too: kinds that share a socket want the same limit.
    """

    join_permissions: ClassVar[tuple[str, ...]] = ()
    """Django's permissions (`app.codename`) that a client's account needs to subscribe; none: guests may, too."""

    publish_permissions: ClassVar[tuple[str, ...]] = ()
    """The same to publish."""

    async def may_join(self, scope: Scope, group: str) -> bool:
        """Whether the client behind `scope` may subscribe to `group`.

        Asked again when the account changes: who may not any more is out of the group within 5 s.
        """
        return await _has(scope, self.join_permissions)

    async def may_publish(self, scope: Scope, group: str) -> bool:
        """Whether the client behind `scope` may publish to `group`; asked for each publication."""
        return await _has(scope, self.publish_permissions)

    async def member(self, scope: Scope, group: str, info: Any) -> Any:
        """Return what others see of the client behind `scope`; `info` is what it says of itself (None: nothing).

        Any JSON of at most 256 bytes. Raise BadData with a sentence.
        """
        return None

    def clean(self, data: Any) -> Any:
        """Return what to publish for a client's `data`, or raise BadData or TooLarge with a sentence."""
        return data

    async def accept(self, scope: Scope, group: str, data: Any) -> Any:
        """Return what to publish for the `data` of the client behind `scope`, or raise a FanoutError with a sentence.

        For kinds where it matters who sends: override it, and keep what you know of a client in its `scope`, which
        lives as long as its socket, or its request. The default does not look at the client: `clean(data)`.
        """
        return self.clean(data)

    def value_key(self, data: Any) -> str | None:
        """Return of which value `data` is the latest, in an ephemeral group; None: of none in particular.

        A client that reads slowly gets the latest publication of each value, and the latest one of none.
        """
        return None


async def _has(scope: Scope, permissions: tuple[str, ...]) -> bool:
    if not permissions:
        return True
    from fanout.accounts.users import has_permissions  # it needs Django's apps, and this module comes before them

    return await has_permissions(scope, *permissions)


class ClosedPolicy(Policy):
    """For kinds that nobody registered."""

    async def may_join(self, scope: Scope, group: str) -> bool:
        """No client."""
        return False

    async def may_publish(self, scope: Scope, group: str) -> bool:
        """No client."""
        return False


_closed = ClosedPolicy()
_policies: dict[str, Policy] = {}


def register(policy: Policy) -> None:
    """Make `policy` the one of its kind in this process; a later one replaces it."""
    if not policy.kind or kind_of(policy.kind) != policy.kind:
        raise ValueError(f"{policy!r}: kind={policy.kind!r} must be a name without a dot.")
    _policies[policy.kind] = policy


def policy_for(group: str) -> Policy:
    """Return the policy of the group's kind."""
    return _policies.get(kind_of(group), _closed)


def registered() -> Mapping[str, Policy]:
    """Return the policies of this process by kind."""
    return dict(_policies)
