"""What every HTTP answer tells a browser to forbid, and cookies that TLS keeps to itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from fanout.asgi import Application, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Nothing from elsewhere and nothing inline; `'self'` covers the WebSocket of the page's own origin."""

UNUSED_FEATURES = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
"""Of a browser; no page of ours asks for them, and no script that got into one shall."""

DEFAULTS = {
    b"content-security-policy": CONTENT_SECURITY_POLICY,
    b"cross-origin-opener-policy": "same-origin",
    b"cross-origin-resource-policy": "same-origin",
    b"permissions-policy": ", ".join(f"{feature}=()" for feature in UNUSED_FEATURES),
    b"referrer-policy": "same-origin",
    b"x-content-type-options": "nosniff",
    b"x-frame-options": "DENY",
}
"""nginx/snippets/static.conf and unavailable.conf have those that files of nginx' own need."""


class SecurityHeaders:
    """ASGI middleware for HTTP: adds to each answer the headers of DEFAULTS that it does not have itself."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_with_headers(event: dict[str, Any]) -> None:
            if event["type"] == "http.response.start":
                own = list(event.get("headers", ()))
                names = {name.lower() for name, _ in own}
                more = [(name, value.encode()) for name, value in DEFAULTS.items() if name not in names]
                event = {**event, "headers": own + more}
            await send(event)

        await self._application(scope, receive, send_with_headers)


def secure_cookies(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware: a cookie that was set over TLS never leaves by plain HTTP.

    SESSION_COOKIE_SECURE would have to know beforehand how clients come; each request knows.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response

    return answer
