"""The ASGI application: Django for HTTP, the consumers for WebSocket, readiness for the lifespan."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
http: Any = get_asgi_application()  # first: it loads the apps that the imports below need

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from config.headers import SecurityHeaders  # noqa: E402
from config.routing import websocket_routes  # noqa: E402
from demos.dashboard.board import WithFleetBoard  # noqa: E402
from fanout.http.endpoints import FanoutEndpoints  # noqa: E402
from fanout.origin import OriginCheck  # noqa: E402
from fanout.tracing import Traced  # noqa: E402
from ops.asgi import OpsEndpoints, lifespan  # noqa: E402

site = (settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS)
origins = {"without_origin": settings.FANOUT_WITHOUT_ORIGIN}
application = ProtocolTypeRouter(
    {
        "http": Traced(SecurityHeaders(OpsEndpoints(FanoutEndpoints(http, *site, **origins)))),
        "websocket": OriginCheck(URLRouter(websocket_routes), *site, **origins),
        "lifespan": WithFleetBoard(lifespan),
    }
)
