"""Listens on an address and serves the page there."""

import errno
import socket
import threading

import uvicorn

from ..command import UserError
from ..command.errors import explain
from .site import Site


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """Opens a socket.

    Args:
        host: an address of this computer, or a name of it.
        port: 0 takes a free one.

    Returns:
        the socket, and the address of the page for a browser on this computer.

    Raises:
        UserError: the host is not one of this computer, or the port is in use.
    """
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(where[:2], family=family)
    except OSError as error:
        taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        advice = "choose another --port" if taken else "choose another --host"
        raise UserError(f"{host}:{port}: {explain(error, advice)}") from error
    name, port = listening.getsockname()[:2]  # also of IPv6, which has four parts
    shown = str({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name))
    if ":" in shown:
        shown = f"[{shown}]"
    return listening, f"http://{shown}:{port}/"


def serve(site: Site, listening: socket.socket) -> None:
    """Serves the page. It does not return: a signal ends the process.

    The server runs in a thread of its own, since it would otherwise replace the command's handling
    of signals, which removes the files of recordings that are being restored.
    """
    config = uvicorn.Config(site, log_level="error", access_log=False, server_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    thread.join()
