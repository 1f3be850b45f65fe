"""Takes a recording from a request, lets a function work on it, and answers; nothing is kept."""

import json
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..audio import SUFFIXES
from ..command import UserError, printable
from ..command.errors import explain
from ..command.hidden import hidden_folder
from .networks import Limits

# The name of an upload; its suffix is one of audio.SUFFIXES, or none.
NAME = "recording"
# Recordings that wait, for each one that is restored.
WAITING = 8
UPLOAD_SECONDS = 600
CHUNK_BYTES = 2**18

# Called with the stage and the share of it that is done.
Report = Callable[[str, float], None]
# Works on a recording with the request's parameters; returns the answer and a wav file.
Function = Callable[[Path, Mapping[str, str], Report], tuple[dict[str, Any], Path]]


class _RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _GoneError(Exception):
    """Raised in a worker when nobody waits for its answer any more."""


class Uploads:
    """The uploads of all users.

    Args:
        limits: of a recording.
        workers: how many are worked on at once; others wait.
    """

    def __init__(self, limits: Limits, workers: int) -> None:
        self._limits, self._most = limits, workers * (1 + WAITING)
        self._workers = workers
        self._limiter: anyio.CapacityLimiter | None = None
        self._count = 0

    def endpoint(self, function: Function) -> ASGIApp:
        """Makes the endpoint of a function.

        The request's body is the recording, and its parameter `suffix` that of the file's name.
        The answer has lines of JSON: the stages; last, `{"error": ...}`, or what the function
        returns with the number of `bytes` of the wav file, which follows.
        """
        return _Endpoint(partial(self._answer, function))

    async def _answer(self, function: Function, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        temporary = Path(tempfile.gettempdir())
        try:
            async with self._place():
                with ExitStack() as stack:
                    try:
                        folder = stack.enter_context(hidden_folder(temporary))
                        path = await self._save(request, folder)
                    except OSError as error:
                        advice = explain(error, "choose another folder with TMPDIR")
                        message = f"wideband-demo cannot write to {temporary}: {advice}"
                        raise _RefusedError(507, message) from error
                    await self._work(function, path, request, send)
        except _RefusedError as error:
            await PlainTextResponse(str(error), error.status)(scope, receive, send)
        except ClientDisconnect:
            pass

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Holds a place among the recordings that are worked on or wait."""
        if self._count >= self._most:
            raise _RefusedError(503, "too many recordings at once; try again in a minute")
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    async def _save(self, request: Request, folder: Path) -> Path:
        """Saves the body of a request."""
        # A page of another site can send this type only after it has asked, in vain.
        if request.headers.get("content-type") != "application/octet-stream":
            raise _RefusedError(415, "send the recording as application/octet-stream")
        suffix = request.query_params.get("suffix", "").lower()
        path = folder / f"{NAME}{suffix if suffix in SUFFIXES else ''}"
        size = 0
        with anyio.move_on_after(UPLOAD_SECONDS) as scope, path.open("wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > self._limits.bytes:
                    most = self._limits.bytes // 1_000_000
                    raise _RefusedError(
                        413,
                        f"the file is larger than {most} MB; cut it, use wideband-upsample, or "
                        "start wideband-demo with another --megabytes",
                    )
                await anyio.to_thread.run_sync(file.write, chunk)
        if scope.cancelled_caught:
            raise _RefusedError(408, "the upload takes too long; try again")
        return path

    async def _work(self, function: Function, path: Path, request: Request, send: Send) -> None:
        """Works on a recording in a thread, and sends the stages and the answer."""
        self._limiter = self._limiter or anyio.CapacityLimiter(self._workers)
        gone = Event()

        async def watch() -> None:
            # After the body, the only message is that the browser has gone.
            await request.receive()
            gone.set()

        async def send_line(line: Mapping[str, Any]) -> None:
            await _send_bytes(send, json.dumps(line).encode() + b"\n")

        def report(stage: str, share: float) -> None:
            if gone.is_set():
                raise _GoneError
            anyio.from_thread.run(send_line, {"stage": stage, "share": share})

        headers = [(b"content-type", b"application/octet-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            if self._limiter.available_tokens < 1:
                await send_line({"stage": "waiting"})
            try:
                answer, wav = await anyio.to_thread.run_sync(
                    partial(function, path, request.query_params, report), limiter=self._limiter
                )
            except UserError as error:
                await send_line({"error": _message(error, path)})
            except _GoneError:
                pass
            else:
                await send_line({**answer, "bytes": wav.stat().st_size})
                async with await anyio.open_file(wav, "rb") as file:
                    while not gone.is_set() and (chunk := await file.read(CHUNK_BYTES)):
                        await _send_bytes(send, chunk)
            group.cancel_scope.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Endpoint:
    """An ASGI application; Starlette takes plain functions for handlers of requests."""

    def __init__(self, answer: ASGIApp) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope, receive, send)


async def _send_bytes(send: Send, content: bytes) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": True})


def _message(error: UserError, path: Path) -> str:
    """Returns an error without the folder of the upload and without its name in front."""
    text = str(error).replace(f"{path.parent}/", "")
    return printable(text.removeprefix(f"{path.name}: "))
