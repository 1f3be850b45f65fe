"""The command wideband-demo: its start, its end and its errors."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from wideband.web.__main__ import command

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.slow
def test_the_command_serves_until_a_signal_ends_it():
    line = [sys.executable, "-m", "wideband.web", "--port=0", "--model=spline"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, **pipes) as process:
        try:
            printed = process.stdout.readline()
            address = re.fullmatch(
                r"wideband-demo: (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", printed
            )
            with urllib.request.urlopen(address[1], timeout=600) as page:
                assert b"<title>wideband" in page.read()
            process.send_signal(signal.SIGINT)
            output, error = process.communicate(timeout=600)
        finally:
            process.kill()
    # Both are 130 in a shell; the second one is that of a main thread that gets no processor.
    assert process.returncode in (-signal.SIGINT, 128 + signal.SIGINT)
    assert (output, error) == ("", "stopped\n")


@pytest.fixture
def taken():
    """A port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_port_in_use_is_reported(taken, call, error_line):
    code, _, error = call(command, f"--port={taken}")
    assert code == 1
    assert error_line(error).endswith(f":{taken}: Address already in use; choose another --port")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model=none"], "none: no such run folder, weights file or TFLite file"),
        (["--host=not a host"], "choose another --host"),
        (["--host=192.0.2.1", "--port=8000"], "192.0.2.1:8000: "),
        (["--host=192.0.2.1", "--port=8000"], "; choose another --host"),
        (["--seconds=0"], "see wideband-demo --help"),
        (["clip.wav"], "unexpected argument 'clip.wav'"),
    ],
)
def test_errors_are_one_line(arguments, message, call, error_line):
    code, output, error = call(command, "--port=0", *arguments)
    assert code in (1, 2) and not output
    assert message in error_line(error)


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_a_missing_package_is_named_with_its_extra(package, call, error_line, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("wideband.web.")]:
        if not name.endswith("__main__"):
            monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(package), *sys.meta_path])
    code, _, error = call(command)
    assert code == 1
    assert error_line(error) == (
        f"error: wideband-demo needs {package}, which is not installed; pip install '.[web]' in "
        "wideband's folder"
    )


class Missing:
    """Lets the import of a package fail as if it were not installed."""

    def __init__(self, package):
        self.package = package

    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=self.package)
        return None
