"""Corpora, datasets and waves that several test files use."""

import csv
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile
import soxr
from wideband.data_gen import corpora

RATE = 16000


class Entry(NamedTuple):
    """A recording of the test corpus; `reason` is why it is left out."""

    split: str
    text: str = ""
    reason: str = ""


ENTRIES = {
    "anna/long.mp3": Entry("train"),
    "anna/short.wav": Entry("train", "eins, zwei\ndrei ü"),
    "anna/stereo.flac": Entry("train"),
    "beth/a.wav": Entry("valid", "one"),
    "carl/a.wav": Entry("test", "two"),
    "carl/b.wav": Entry("test"),
    "bad/clipped.wav": Entry("train", reason="clipped: 50.0 % of samples at full scale"),
    "bad/empty.wav": Entry("train", reason="unreadable: the file is empty"),
    "bad/hundred.wav": Entry("train", reason="short: 100 samples, a patch has 256"),
    "bad/lowrate.wav": Entry("train", reason="low rate: 8000 Hz, the dataset has 16000 Hz"),
    "bad/nan.wav": Entry("train", reason="not finite: holds NaN or infinity"),
    "bad/narrow.wav": Entry("train", reason="narrow: bandwidth"),
    "bad/silent.wav": Entry("train", reason="silent: RMS 0.00000, DC 0.00000"),
    "bad/text.wav": Entry("train", reason="unreadable: not readable as audio"),
}


class Corpus(NamedTuple):
    """The test corpus: its folder and what it contains."""

    folder: Path
    entries: dict[str, Entry]


def _write_recordings(folder, noise):
    def second(count, rate=RATE, seed=0):
        return noise(round(count * rate), seed)

    # Two pieces of a minute, and a rest that is shorter than a patch.
    soundfile.write(folder / "anna/long.mp3", second(120.01, 22050), 22050)
    soundfile.write(folder / "anna/short.wav", second(1.23, seed=1), RATE)
    # The second channel is softer.
    stereo = noise(2 * round(6.005 * 48000), seed=2).reshape(-1, 2) * [1, 0.4]
    soundfile.write(folder / "anna/stereo.flac", stereo, 48000)
    soundfile.write(folder / "beth/a.wav", second(3, seed=3), RATE)
    soundfile.write(folder / "carl/a.wav", second(6, seed=4), RATE)
    soundfile.write(folder / "carl/b.wav", second(3, seed=5), RATE)
    square = np.where(np.arange(RATE) % 200 < 100, 1.0, second(1))
    soundfile.write(folder / "bad/clipped.wav", square, RATE, subtype="FLOAT")
    (folder / "bad/empty.wav").touch()
    soundfile.write(folder / "bad/hundred.wav", noise(100), RATE)
    soundfile.write(folder / "bad/lowrate.wav", second(1, 8000), 8000)
    nan = second(1)
    nan[77] = np.nan
    soundfile.write(folder / "bad/nan.wav", nan, RATE, subtype="FLOAT")
    soundfile.write(folder / "bad/narrow.wav", soxr.resample(second(3, 8000), 8000, RATE), RATE)
    soundfile.write(folder / "bad/silent.wav", np.zeros(RATE), RATE)
    (folder / "bad/text.wav").write_text("words")


@pytest.fixture(scope="session")
def corpus(noise, tmp_path_factory):
    """A corpus with a manifest, with recordings of several formats and of every fault."""
    folder = tmp_path_factory.mktemp("corpus")
    for name in ENTRIES:
        (folder / name).parent.mkdir(exist_ok=True)
    _write_recordings(folder, noise)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["split", "path", "speaker", "text"])
        for name, entry in ENTRIES.items():
            writer.writerow([entry.split, name, name.split("/")[0], entry.text])
    return Corpus(folder, ENTRIES)


class Prepared(NamedTuple):
    """A dataset and the finished process that made it."""

    folder: Path
    process: subprocess.CompletedProcess


@pytest.fixture(scope="session")
def prepared(corpus, tmp_path_factory):
    """The dataset of the corpus, made by the command in a process of its own with two workers.

    None of the processes can load TensorFlow, which would take longer than the work.
    """
    folder = tmp_path_factory.mktemp("out") / "new" / "dataset"
    modules = tmp_path_factory.mktemp("modules")
    (modules / "tensorflow.py").write_text("raise AssertionError('TensorFlow is loaded')")
    flags = ["--corpus=manifest", f"--source={corpus.folder}", f"--output={folder}", "--workers=2"]
    process = subprocess.run(
        [sys.executable, "-m", "wideband.data_gen", *flags],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(modules)},
    )
    assert process.returncode == 0, process.stderr
    return Prepared(folder, process)


@pytest.fixture(scope="session")
def store(corpus):
    """An object store on this machine with the test corpus, as the environment that names it."""
    boto3 = pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}".replace("0.0.0.0", "127.0.0.1")
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    client = boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        **{name.lower(): value for name, value in keys.items()},
    )
    client.create_bucket(Bucket="voices")
    for name in ("manifest.csv", *corpus.entries):
        body = (corpus.folder / name).read_bytes()
        client.put_object(Bucket="voices", Key=f"corpus/{name}", Body=body)
    client.put_object(Bucket="voices", Key="corpus/anna/take.m4a", Body=b"x")
    client.put_object(Bucket="voices", Key="corpus/.hidden/a.wav", Body=b"x")
    yield {**keys, "S3_ENDPOINT": address, "AWS_REGION": "us-east-1"}
    server.stop()


@pytest.fixture(scope="session")
def build_demo():
    """Returns a function that synthesises the demo corpus in a new process."""

    def build_demo(folder):
        code = (
            "import sys; from pathlib import Path; from wideband.data_gen import synthesize; "
            "synthesize.build(Path(sys.argv[1]))"
        )
        subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True)

    return build_demo


@pytest.fixture(scope="session")
def demo(build_demo, tmp_path_factory):
    """The demo corpus."""
    folder = tmp_path_factory.mktemp("demo")
    build_demo(folder)
    return folder


@pytest.fixture(scope="session")
def tree():
    """Returns a function that writes text files below a folder, path -> text."""

    def tree(folder, **texts):
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder

    return tree


@pytest.fixture(scope="session")
def recordings():
    """Returns a function that lists the recordings of a corpus."""

    def recordings(*arguments, **options):
        return corpora.search(*arguments, **options).recordings

    return recordings


@pytest.fixture(scope="session")
def summary():
    """Returns a function that lists names, speakers, texts and splits of recordings."""
    return lambda found: [(one.name, one.speaker, one.text, one.split) for one in found]


@pytest.fixture(scope="session")
def faded_tone():
    """Returns a function that makes a sine without edges; frequency 1 is the Nyquist frequency."""

    def faded_tone(frequency, n=8000):
        return np.sin(np.pi * frequency * np.arange(n)) * np.hanning(n)

    return faded_tone


@pytest.fixture
def small(noise, tmp_path):
    """A folder of three speakers with half a second each."""
    folder = tmp_path / "small"
    for seed, speaker in enumerate(("anna", "beth", "carl")):
        (folder / speaker).mkdir(parents=True)
        soundfile.write(folder / speaker / "a.wav", noise(RATE // 2, seed), RATE)
    return folder


@pytest.fixture
def no_workers(monkeypatch):
    """Runs the work of worker processes in this process."""
    from wideband.data_gen import prepare

    monkeypatch.setattr(prepare, "map_in_order", lambda workers, ahead: nullcontext(map))


@pytest.fixture
def prepare_dataset(call, no_workers):
    """Returns a function that runs wideband-prepare in this process: (code, stdout, stderr)."""
    from wideband.data_gen.__main__ import command

    def prepare_dataset(source, output, *flags, corpus="folder"):
        names = [f"--corpus={corpus}", f"--source={source}", f"--output={output}"]
        return call(command, *names, *flags)

    return prepare_dataset


@pytest.fixture
def finished(small, tmp_path, prepare_dataset):
    """A dataset of the small corpus, one shard for each split."""
    code, _, err = prepare_dataset(small, tmp_path / "finished")
    assert code == 0, err
    return tmp_path / "finished"
