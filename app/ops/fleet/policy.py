"""Who may look at the fleet's page: staff, and nobody else may as much as join its group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanout.accounts.users import user_of
from fanout.policy import Policy
from ops.fleet.speaker import FLEET, speaker_of

if TYPE_CHECKING:
    from fanout.asgi import Scope


class OpsPolicy(Policy):
    """Rows of replicas, the latest of each. What they tell of groups and processes is not for everybody."""

    kind = "ops"

    async def may_join(self, scope: Scope, group: str) -> bool:
        """Staff; the first of them sets the rows going. Raise Unavailable: who one is can't be looked up."""
        if group != FLEET or not getattr(await user_of(scope), "is_staff", False):
            return False
        from ops.asgi import readiness_of

        speaker_of(scope, readiness_of(scope)).viewers.come()
        return True

    async def may_publish(self, scope: Scope, group: str) -> bool:  # noqa: ARG002 - nobody
        """Replicas alone."""
        return False

    def value_key(self, data: Any) -> str | None:
        """Of each replica the newest row counts."""
        return str(data["replica"])
