"""The shipped application with kinds of groups that differ in one thing each."""

from __future__ import annotations

from config.asgi import application as shipped  # isort: skip - first: it sets Django up

from typing import TYPE_CHECKING, Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import re_path as django_re_path

from config.routing import websocket_routes
from fanout.consumer import FanoutConsumer
from fanout.history import History
from fanout.origin import OriginCheck
from fanout.policy import Policy, register

if TYPE_CHECKING:
    from fanout.asgi import Scope


re_path: Any = django_re_path  # as in config.routing


class Ephemeral(Policy):
    """At most once, coalesced."""

    kind = "ephemeral"


class Durable(Policy):
    """Kept in a stream, coalesced."""

    kind = "durable"
    history = History(size=1000, age=3600)


class Immediate(Policy):
    """At most once, each publication a write of its own."""

    kind = "immediate"
    flush_interval = 0


KINDS = (Ephemeral(), Durable(), Immediate())
for policy in KINDS:
    register(policy)


class KindConsumer(FanoutConsumer):
    """`/ws/bench/<kind>/`: plain clients of one group of that kind."""

    def plain_group(self, scope: Scope) -> str:
        """Return the kind's group."""
        return f"{scope['url_route']['kwargs']['kind']}.bench"


names = "|".join(policy.kind for policy in KINDS)
routes: list[Any] = [re_path(rf"^ws/bench/(?P<kind>{names})/\Z", KindConsumer.as_asgi()), *websocket_routes]
websocket = OriginCheck(URLRouter(routes), settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS)
application = ProtocolTypeRouter({**shipped.application_mapping, "websocket": websocket})
