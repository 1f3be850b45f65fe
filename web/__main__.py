"""wideband-demo: a page on this computer to try the networks with recordings of one's own.

wideband-demo
wideband-demo --model=runs/mine --model=speech-4x --port=8080

Open the address that the command prints in a browser. Ctrl-C ends the command, and with it the
page. Recordings are restored by this computer, which keeps neither them nor what is restored. By
default, only this computer itself can open the page.
"""

import sys

from ..command import UserError
from ..command.run import Command, Flags


def define_flags(flags: Flags) -> None:
    """Defines the flags of the command."""
    flags.strings(
        "model",
        None,
        "A model to choose on the page, as in wideband-upsample; may be given several times. "
        "Default: all shipped networks.",
    )
    flags.string(
        "host",
        "127.0.0.1",
        "The address to listen on. 0.0.0.0 lets other computers open the page. There is no "
        "password.",
    )
    flags.integer("port", 8000, "The port to listen on; 0 takes a free one.", upper_bound=65535)
    flags.strings(
        "name",
        None,
        "A name of this computer by which browsers may call the page, such as studio.local. "
        "Addresses and localhost are always allowed.",
    )
    flags.integer("megabytes", 100, "The largest file to take.", lower_bound=1, upper_bound=4000)
    flags.integer(
        "seconds", 600, "The longest recording to take.", lower_bound=1, upper_bound=24 * 3600
    )
    flags.integer(
        "workers", 2, "How many recordings to restore at once.", lower_bound=1, upper_bound=64
    )


def main(flags: Flags, arguments: list[str]) -> None:
    """Serves the page until a signal ends the command."""
    try:
        from .server import listen, serve
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise UserError(
            f"wideband-demo needs {error.name}, which is not installed; pip install '.[web]' in "
            "wideband's folder"
        ) from error
    from ..models import pretrained
    from ..upsample.picking import candidates
    from ..upsample.settings import RATIO, SAMPLE_RATE
    from .networks import Limits
    from .site import Site

    # Taken first: an address in use is reported before the models load.
    socket, address = listen(flags.host, flags.port)
    with socket:
        models = candidates(flags.model or pretrained.names(), SAMPLE_RATE, RATIO)
        limits = Limits(flags.seconds, 1_000_000 * flags.megabytes)
        site = Site(models, limits, flags.workers, flags.name or ())
        print(f"wideband-demo: {address} (Ctrl-C ends it)", flush=True)
        serve(site, socket)


command = Command("wideband-demo", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
