"""Downloads of archives with the published layouts, from a server on the loopback interface."""

import hashlib
import io
import re
import tarfile
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
import requests
from wideband.command import UserError
from wideband.command.locks import locked
from wideband.data_gen import corpora, download

# Incompressible, so that an archive is long enough to be interrupted.
NOISE = np.random.default_rng(0).bytes(200_000)

VCTK = {
    "wav48_silence_trimmed/p225/p225_001_mic1.flac": NOISE,
    "wav48_silence_trimmed/p225/p225_001_mic2.flac": NOISE[:9],
    "txt/p225/p225_001.txt": b"Please call Stella.",
    "speaker-info.txt": b"",
}
LJSPEECH = {
    "LJSpeech-1.1/metadata.csv": b"LJ001-0001|In 1455|In fourteen fifty-five\n",
    "LJSpeech-1.1/wavs/LJ001-0001.wav": NOISE,
    "LJSpeech-1.1/README": b"",
}
DEV_CLEAN = {
    "LibriSpeech/dev-clean/84/7/84-7-0000.flac": NOISE,
    "LibriSpeech/dev-clean/84/7/84-7.trans.txt": b"84-7-0000 IT RAINED\n",
    "LibriSpeech/README.TXT": b"",
}


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files, compression):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def server():
    """A server of `files`: without `ranges` it sends whole files, `stop_after` cuts them short.

    `length` is a header to send in place of the length.
    """
    state = SimpleNamespace(files={}, requests=[], ranges=True, stop_after=None, length=None)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range")
            state.requests.append(asked)
            content = state.files.get(self.path.rpartition("/")[2])
            if content is None:
                self.send_error(404)
                return
            start = int(re.fullmatch(r"bytes=(\d+)-", asked).group(1)) if asked else 0
            if start >= len(content):
                self.send_error(416)
                return
            if start and state.ranges:
                self.send_response(206)
                self.send_header(
                    "Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}"
                )
                content = content[start:]
            else:
                self.send_response(200)
            self.send_header("Content-Length", state.length or str(len(content)))
            self.end_headers()
            self.wfile.write(content[: state.stop_after])

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    state.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    yield state
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def publish(server, monkeypatch):
    """Returns a function that replaces a published archive with another of the same name."""

    def publish(name, content):
        published = download.ARCHIVES[name]
        file = published.url.rpartition("/")[2]
        server.files[file] = content
        here = replace(
            published, url=f"{server.url}/{file}", sha256=hashlib.sha256(content).hexdigest()
        )
        monkeypatch.setitem(download.ARCHIVES, name, here)
        return file

    return publish


def recordings(*arguments, **options):
    return corpora.search(*arguments, **options).recordings


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_vctk_is_downloaded_unpacked_and_read(tmp_path, publish):
    publish("vctk", zipped(VCTK))
    (one,) = recordings("vctk", tmp_path / "new")
    assert (one.speaker, one.text) == ("p225", "Please call Stella.")
    assert one.path.read_bytes() == NOISE
    assert (tmp_path / "new/VCTK-Corpus-0.92/speaker-info.txt").is_file()


def test_ljspeech_is_downloaded_unpacked_and_read(tmp_path, publish):
    publish("ljspeech", tarred(LJSPEECH, "bz2"))
    (one,) = recordings("ljspeech", tmp_path)
    assert (one.name, one.text) == ("LJSpeech-1.1/wavs/LJ001-0001.wav", "In fourteen fifty-five")
    assert one.path.read_bytes() == NOISE


def test_librispeech_subsets_are_downloaded_one_by_one(tmp_path, publish, server):
    publish("dev-clean", tarred(DEV_CLEAN, "gz"))
    (one,) = recordings("librispeech", tmp_path, subsets=["dev-clean"])
    assert (one.speaker, one.text, one.split) == ("84", "IT RAINED", "valid")
    assert one.path.read_bytes() == NOISE
    test_clean = {name.replace("dev", "test"): content for name, content in DEV_CLEAN.items()}
    publish("test-clean", tarred(test_clean, "gz"))
    found = recordings("librispeech", tmp_path, subsets=["dev-clean", "test-clean"])
    assert [one.split for one in found] == ["valid", "test"]
    assert len(server.requests) == 2


def test_an_unpacked_corpus_is_not_downloaded_again(tmp_path, publish, server):
    file = publish("vctk", zipped(VCTK))
    first = recordings("vctk", tmp_path)
    assert recordings("vctk", tmp_path) == first
    assert len(server.requests) == 1
    # The archive may be deleted after unpacking.
    (tmp_path / file).unlink()
    assert recordings("vctk", tmp_path) == first
    assert len(server.requests) == 1


def test_an_archive_that_is_in_the_folder_already_is_used(tmp_path, publish, server):
    content = zipped(VCTK)
    (tmp_path / publish("vctk", content)).write_bytes(content)
    assert len(recordings("vctk", tmp_path)) == 1
    assert server.requests == []


def test_an_interrupted_download_continues_where_it_stopped(tmp_path, publish, server):
    content = zipped(VCTK)
    file = publish("vctk", content)
    server.stop_after = 70_000
    with pytest.raises(UserError, match=r"interrupted .* run the command again to continue"):
        recordings("vctk", tmp_path)
    assert tree(tmp_path) == [f"{file}.part"]
    part = (tmp_path / f"{file}.part").read_bytes()
    assert 50_000 < len(part) <= 70_000
    assert part == content[: len(part)]
    server.stop_after = None
    (one,) = recordings("vctk", tmp_path)
    assert server.requests == [None, f"bytes={len(part)}-"]
    assert one.path.read_bytes() == NOISE
    assert not (tmp_path / f"{file}.part").exists()


def test_a_download_from_a_server_without_ranges_starts_again(tmp_path, publish, server):
    content = zipped(VCTK)
    file = publish("vctk", content)
    (tmp_path / f"{file}.part").write_bytes(content[:70_000])
    server.ranges = False
    (one,) = recordings("vctk", tmp_path)
    assert one.path.read_bytes() == NOISE
    assert (tmp_path / file).read_bytes() == content


def test_a_download_that_was_interrupted_after_its_last_byte_is_used(tmp_path, publish):
    content = zipped(VCTK)
    file = publish("vctk", content)
    (tmp_path / f"{file}.part").write_bytes(content)
    assert len(recordings("vctk", tmp_path)) == 1


@pytest.mark.parametrize("part", [b"", b"another file's beginning"])
def test_a_damaged_archive_is_refused_and_removed(tmp_path, publish, server, part):
    content = zipped(VCTK)
    file = publish("vctk", content)
    if part:
        (tmp_path / f"{file}.part").write_bytes(part)
    else:
        server.files[file] = content[:500] + b"\0" + content[501:]
    with pytest.raises(UserError, match=rf"{file}: .* is damaged .* was removed") as caught:
        recordings("vctk", tmp_path)
    assert "\n" not in str(caught.value)
    assert tree(tmp_path) == []
    server.files[file] = content
    assert len(recordings("vctk", tmp_path)) == 1


def test_a_wrong_file_that_a_user_put_there_is_refused_and_kept(tmp_path, publish, server):
    file = publish("vctk", zipped(VCTK))
    (tmp_path / file).write_bytes(b"half of the archive")
    with pytest.raises(UserError, match=rf"{file}: damaged or not the file .* remove it and run"):
        recordings("vctk", tmp_path)
    assert (tmp_path / file).read_bytes() == b"half of the archive"
    assert server.requests == []


def test_a_download_for_which_there_is_no_space_continues_later(
    tmp_path, publish, server, file_limit
):
    content = zipped(VCTK)
    file = publish("vctk", content)
    with pytest.raises(UserError) as caught, file_limit(100_000):
        recordings("vctk", tmp_path)
    part = tmp_path / f"{file}.part"
    assert str(caught.value).startswith(f"{part}: cannot be written: File too large; ")
    assert part.stat().st_size == 100_000
    assert len(recordings("vctk", tmp_path)) == 1
    assert server.requests == [None, "bytes=100000-"]


@pytest.mark.parametrize("length", ["many", "-5"])
def test_an_odd_length_in_the_answer_does_not_matter(tmp_path, publish, server, length):
    publish("vctk", zipped(VCTK))
    server.length = length
    assert len(recordings("vctk", tmp_path)) == 1


def test_a_connection_that_ends_too_early_is_an_interruption(
    tmp_path, publish, server, monkeypatch
):
    """urllib3 reports it from version 2 on."""
    content = zipped(VCTK)
    file = publish("vctk", content)
    with monkeypatch.context() as patch:
        patch.setattr(requests.Response, "iter_content", lambda *_, **__: [content[:50_000]])
        with pytest.raises(UserError, match=r"interrupted .* run the command again to continue"):
            recordings("vctk", tmp_path)
    assert tree(tmp_path) == [f"{file}.part"]
    assert len(recordings("vctk", tmp_path)) == 1
    assert server.requests == [None, "bytes=50000-"]


def test_two_downloads_do_not_write_to_one_folder(tmp_path, publish, server):
    publish("vctk", zipped(VCTK))
    with locked(tmp_path, ""), pytest.raises(UserError, match="another wideband-prepare downloads"):
        recordings("vctk", tmp_path)
    assert server.requests == []


def test_a_missing_file_is_reported_with_its_address(tmp_path, publish, server):
    file = publish("vctk", zipped(VCTK))
    server.files.clear()
    with pytest.raises(UserError, match=rf"404 .*{server.url}/{file}; try later"):
        recordings("vctk", tmp_path)
    assert tree(tmp_path) == []


def test_an_unreachable_server_is_reported_in_one_line(tmp_path, monkeypatch):
    # No server listens on port 1 of the loopback interface.
    nowhere = replace(download.ARCHIVES["vctk"], url="http://127.0.0.1:1/VCTK-Corpus-0.92.zip")
    monkeypatch.setitem(download.ARCHIVES, "vctk", nowhere)
    with pytest.raises(
        UserError, match=r"127\.0\.0\.1:1/VCTK.* interrupted \(ConnectionError\)"
    ) as e:
        recordings("vctk", tmp_path)
    assert "\n" not in str(e.value)


def test_an_archive_of_another_corpus_is_refused(tmp_path, publish):
    publish("ljspeech", tarred(DEV_CLEAN, "bz2"))
    with pytest.raises(UserError, match=r"has no folder LJSpeech-1\.1"):
        recordings("ljspeech", tmp_path)
    assert not (tmp_path / "LJSpeech-1.1").exists()


def test_an_incomplete_corpus_is_refused_before_anything_is_downloaded(tmp_path, publish, server):
    publish("vctk", zipped(VCTK))
    (tmp_path / "VCTK-Corpus-0.92/txt").mkdir(parents=True)
    with pytest.raises(UserError, match=r"VCTK-Corpus-0\.92: exists but is incomplete; remove it"):
        recordings("vctk", tmp_path)
    assert server.requests == []


def test_every_archive_is_published_over_tls_with_a_sha256():
    assert set(download.ARCHIVES) == {"vctk", "ljspeech", *corpora.LIBRISPEECH_SUBSETS}
    assert all(one.url.startswith("https://") for one in download.ARCHIVES.values())
    digests = {one.sha256 for one in download.ARCHIVES.values()}
    assert len(digests) == len(download.ARCHIVES)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
