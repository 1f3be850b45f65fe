"""The page and what it asks for, as an ASGI application."""

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..upsample.picking import Candidate
from .networks import Limits, describe, settings
from .uploads import Uploads
from .work import Work

PAGE = Path(__file__).parent / "page"
HEADERS = {
    # Nothing is kept, not even by the browser.
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Site:
    """The page of wideband-demo.

    Args:
        models: what can be chosen.
        limits: of recordings.
        workers: how many recordings are restored at once.
        names: names of this computer by which browsers may call the page.
    """

    def __init__(
        self, models: Sequence[Candidate], limits: Limits, workers: int, names: Sequence[str] = ()
    ) -> None:
        work = Work(models, limits)
        uploads = Uploads(limits, workers)
        networks = [describe(model.name, _metadata(model)) for model in models]
        content = settings("server", networks, limits)

        async def show_networks(request: Request) -> JSONResponse:
            return JSONResponse(content)

        routes = [
            Route("/networks.json", show_networks),
            Route("/open", uploads.endpoint(work.open), methods=["POST"]),
            Route("/restore", uploads.endpoint(work.restore), methods=["POST"]),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ]
        self._app: ASGIApp = Starlette(routes=routes)
        self._names = {name.lower().rstrip(".") for name in ("localhost", *names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, unless it comes from a page of another site."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        request = Request(scope)
        if not self._is_own(request.headers.get("host", "")):
            # Another site may give its own name the address of this computer (DNS rebinding).
            answer = PlainTextResponse(
                "This page does not have this name; use the address that wideband-demo prints, or "
                "start it with --name.",
                421,
            )
            await answer(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _is_own(self, host: str) -> bool:
        """Whether a host with an optional port is an address, or one of this computer's names."""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name.lower().rstrip(".") in self._names
        return True


def _metadata(model: Candidate) -> dict[str, Any]:
    metadata = {
        "sample_rate": model.sample_rate,
        "ratio": model.sample_rate / model.low_rate,
        "band_hz": model.band_hz,
    }
    return metadata | ({"wants": "high"} if model.is_vocoder else {})
