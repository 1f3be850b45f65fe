"""Writes the page that restores recordings in the browser, as a folder of static files.

python -m wideband.web.build --output=build/try
python -m http.server --directory=build/try --bind=127.0.0.1

Any web server can serve the folder. The page needs no other one: LiteRT.js, which npm fetches while
the folder is written, is in it, and so are the shipped networks.
"""

import dataclasses
import json
import shutil
import sys
from pathlib import Path

from ..command import UserError
from ..command.hidden import hidden_folder
from ..command.run import Command, Flags

PAGE = Path(__file__).parent / "page"
# A page keeps whole recordings in the memory of the browser.
MOST_SECONDS, MOST_BYTES = 600, 500_000_000


def define_flags(flags: Flags) -> None:
    """Defines the flags of the command."""
    flags.string("output", None, "The folder to write.", required=True)
    flags.string("packages", "build/npm", "The folder that keeps the archives of npm packages.")


def main(flags: Flags, arguments: list[str]) -> None:
    """Writes the folder."""
    output = Path(flags.output)
    build(output, Path(flags.packages))
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    print(f"{output}: {size / 1e6:.0f} MB; serve this folder with any web server")


def build(output: Path, cache: Path) -> None:
    """Writes the page into a folder, which appears when it is complete.

    Args:
        output: the folder; one that this function wrote before is replaced.
        cache: where the archives of npm packages are, or are put.

    Raises:
        UserError: the folder has other content, or LiteRT.js cannot be fetched.
    """
    from ..models import pretrained
    from ..upsample import tflite
    from .networks import Limits, describe, settings
    from .packages import write_litert

    if output.exists() and not (output / "networks.json").is_file():
        raise UserError(f"{output}: exists, and is not a page of this command; choose another one")
    output.parent.mkdir(parents=True, exist_ok=True)
    with hidden_folder(output.parent) as folder:
        page = folder / "page"
        shutil.copytree(PAGE, page)
        write_litert(page / "litert", cache)
        (page / "networks").mkdir()
        networks = []
        for name in pretrained.names():
            source = pretrained.find(name) / pretrained.TFLITE_FILE
            if not source.is_file():
                continue
            _, metadata = tflite.read(source)
            file = f"networks/{name}.tflite"
            shutil.copy(source, page / file)
            size = source.stat().st_size
            networks.append(describe(name, dataclasses.asdict(metadata), file=file, size=size))
        content = settings("browser", networks, Limits(MOST_SECONDS, MOST_BYTES))
        (page / "networks.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
        if output.exists():
            output.rename(folder / "old")
        page.rename(output)


command = Command("python -m wideband.web.build", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
