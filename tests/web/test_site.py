"""The server behind wideband-demo: what it answers, what it refuses, and that it keeps nothing."""

import io
import json
import socket
import tempfile
import threading
import time
from functools import partial

import numpy as np
import pytest
import soundfile
from wideband.audio import measure
from wideband.upsample.__main__ import command as upsample
from wideband.web.networks import Limits
from wideband.web.uploads import Uploads

BYTES = "application/octet-stream"


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    """The folder of uploads."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def is_empty(folder):
    return not [*folder.iterdir()]


def test_a_recording_is_measured_and_decoded(server, clip):
    answer, wav = server.post("/open?suffix=.wav", clip.read_bytes())
    facts = measure.measure(clip)
    assert answer["band_hz"] == [*facts.band]
    found, rate = soundfile.read(io.BytesIO(wav))
    assert rate == 4000
    np.testing.assert_allclose(found, soundfile.read(clip)[0], rtol=0, atol=1e-6)


def test_the_restored_recording_is_that_of_the_command(server, clip, tmp_path, call, shipped):
    _, wav = server.post(f"/restore?suffix=.wav&network={shipped['streaming']}", clip.read_bytes())
    output = tmp_path / "out.wav"
    code, _, error = call(upsample, clip, f"--model={shipped['streaming']}", f"--output={output}")
    assert code == 0, error
    assert wav == output.read_bytes()


def test_recordings_in_other_formats_are_taken_by_their_suffix(server, noise):
    file = io.BytesIO()
    soundfile.write(file, noise(8000), 8000, format="MP3")
    answer, wav = server.post("/open?suffix=.mp3", file.getvalue())
    assert answer["band_hz"][2] > 2000
    assert soundfile.info(io.BytesIO(wav)).frames == 8000


@pytest.mark.parametrize(
    ("query", "content", "message"),
    [
        ("open?suffix=.wav", b"", "the file is empty"),
        ("open?suffix=.wav", b"no audio", "not readable as audio"),
        ("open", b"no audio", "ffmpeg -i recording recording.wav"),
        (
            "restore?network=none&suffix=.wav",
            b"RIFF",
            "unknown network 'none'; choose one of ",
        ),
    ],
)
def test_what_cannot_be_restored_gets_the_commands_message(query, content, message, server):
    answer, _ = server.post(f"/{query}", content)
    assert message in answer["error"]
    # The folder of the upload is of no use to the user.
    assert tempfile.gettempdir() not in answer["error"]


def test_a_network_that_does_not_fit_is_used_only_by_force(server, noise, shipped):
    file = io.BytesIO()
    soundfile.write(file, noise(16000), 16000, format="WAV")
    answer, _ = server.post(f"/restore?suffix=.wav&network={shipped['streaming']}", file.getvalue())
    assert "already has content up to 8000 Hz" in answer["error"]
    query = f"/restore?suffix=.wav&network={shipped['streaming']}&force=1"
    answer, wav = server.post(query, file.getvalue())
    assert soundfile.info(io.BytesIO(wav)).frames == 16000
    assert answer["note"] == ""


def test_clipped_peaks_are_reported(server, noise, shipped):
    file = io.BytesIO()
    soundfile.write(file, np.clip(50 * noise(4000), -1, 1), 4000, format="WAV")
    answer, _ = server.post(f"/restore?suffix=.wav&network={shipped['streaming']}", file.getvalue())
    assert answer["note"].startswith("peaks of ") and answer["note"].endswith("clipped at 1")


@pytest.mark.parametrize(
    ("frames", "channels", "message"),
    [
        (4001, 1, "lasts 2 s; this page takes at most 1 s: cut it, use wideband-upsample"),
        (10, 40, "has 40 channels; this page takes at most 32"),
    ],
)
def test_longer_and_wider_recordings_are_refused(frames, channels, message, serve, shipped):
    file = io.BytesIO()
    soundfile.write(file, np.zeros((frames, channels)), 2000, format="WAV")
    with serve(limits=Limits(1, 1_000_000)) as server:
        for query in ("/open?suffix=.wav", f"/restore?suffix=.wav&network={shipped['streaming']}"):
            assert message in server.post(query, file.getvalue())[0]["error"]


def test_many_samples_at_a_high_rate_are_refused(serve):
    file = io.BytesIO()
    soundfile.write(file, np.zeros((60000, 8)), 96000, format="FLAC")
    with serve(limits=Limits(1, 1_000_000)) as server:
        answer, _ = server.post("/open?suffix=.flac", file.getvalue())
    assert "has 480000 samples in all channels; this page takes at most 192000" in answer["error"]


@pytest.mark.parametrize("chunked", [False, True])
def test_larger_files_are_refused_before_they_are_saved(chunked, server, uploads, becomes):
    large = bytes(2_000_001)
    body = iter([large]) if chunked else large
    status, _, content = server.request("POST", "/open", body, Content_Type=BYTES)
    assert status == 413
    assert b"the file is larger than 2 MB; cut it, use wideband-upsample" in content
    assert becomes(lambda: is_empty(uploads))


@pytest.mark.parametrize(("share", "status"), [(0.5, 507), (2, 200)])
def test_a_full_disk_is_reported_and_nothing_is_left(share, status, server, uploads, becomes):
    """The disk has room for a share of the upload; what is decoded from it is larger."""
    resource = pytest.importorskip("resource")
    file = io.BytesIO()
    soundfile.write(file, np.zeros(60_000), 4000, format="FLAC")
    body = file.getvalue()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * len(body)), before[1]))
    try:
        answer = server.request("POST", "/open?suffix=.flac", body, Content_Type=BYTES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert answer[0] == status
    assert b"File too large; choose a folder that allows larger files" in answer[2]
    assert becomes(lambda: is_empty(uploads))


def test_a_missing_folder_for_uploads_is_reported(server, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    body = clip.read_bytes()
    status, _, answer = server.request("POST", "/open", body, Content_Type=BYTES)
    assert status == 507
    assert (
        answer
        == (
            f"wideband-demo cannot write to {tmp_path / 'none'}: No such file or directory; choose "
            "another folder with TMPDIR"
        ).encode()
    )


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *[("localhost", 200), ("LOCALHOST:8000", 200), ("127.0.0.1", 200), ("[::1]:8000", 200)],
        *[("192.168.0.7:8000", 200), ("studio.local", 200), ("studio.local.:80", 200)],
        *[("evil.example", 421), ("127.0.0.1.evil.example", 421), ("", 421), ("x:y:z", 421)],
    ],
)
def test_pages_under_the_name_of_another_site_are_refused(host, status, serve):
    with serve(["spline"], names=["studio.local"]) as server:
        assert server.request("GET", "/networks.json", Host=host)[0] == status


def test_pages_of_other_sites_cannot_send_recordings(server, clip):
    # What a page may send to another site without asking first.
    for kind in ("text/plain", "multipart/form-data; boundary=x", None):
        headers = {"Content_Type": kind} if kind else {}
        assert server.request("POST", "/open", clip.read_bytes(), **headers)[0] == 415
    # The question whether it may send more.
    asked = {"Origin": "http://evil.example", "Access_Control_Request_Method": "POST"}
    status, headers, _ = server.request("OPTIONS", "/open", **asked)
    assert status == 405
    assert not [name for name in headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "path",
    ["/../site.py", "/%2e%2e/site.py", "/..%2fsite.py", "//etc/passwd", "/dsp/../../work.py"],
)
def test_only_files_of_the_page_are_served(path, server):
    assert server.request("GET", path)[0] in (400, 404)


@pytest.mark.parametrize(
    "suffix", ["/../../x.wav", ".wav/../../x", ".wav%00", "%2f", ".exe", 999 * "x"]
)
def test_a_suffix_never_becomes_part_of_a_path(suffix, server, clip, uploads, becomes):
    # Such a suffix is left out, and the content shows that it is a wav file.
    answer, _ = server.post(f"/open?suffix={suffix}", clip.read_bytes())
    assert answer["band_hz"][2] > 1900
    assert becomes(lambda: is_empty(uploads))
    assert uploads.parent.exists() and not [*uploads.parent.glob("x*")]


def test_answers_are_not_kept_by_the_browser_nor_shown_in_other_pages(server):
    for path in ("/", "/app.js", "/networks.json", "/none"):
        _, headers, _ = server.request("GET", path)
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"


def test_several_users_are_served_at_once_and_get_their_own_recordings(
    server, noise, uploads, becomes, shipped
):
    answers = {}

    def restore(seed):
        file = io.BytesIO()
        soundfile.write(file, noise(4000 + seed, seed=seed), 4000, format="WAV")
        query = f"/restore?suffix=.wav&network={shipped['streaming']}"
        answers[seed] = soundfile.info(io.BytesIO(server.post(query, file.getvalue())[1])).frames

    threads = [threading.Thread(target=restore, args=[seed]) for seed in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {seed: 4 * (4000 + seed) for seed in range(5)}
    assert becomes(lambda: is_empty(uploads))


def test_no_more_users_are_taken_than_can_be_served(serve, clip, becomes):
    head = "POST /open HTTP/1.1\r\nHost: localhost\r\nContent-Type: {}\r\nContent-Length: 9\r\n\r\n"
    with serve(["spline"], workers=1) as server:
        host, port = server.host.split(":")
        waiting = [socket.create_connection((host, int(port))) for _ in range(9)]
        for each in waiting:
            each.sendall(head.format(BYTES).encode())
        refused = b"too many recordings at once; try again in a minute"
        post = partial(server.request, "POST", "/open", b"x", Content_Type=BYTES)
        assert becomes(lambda: post()[0] == 503 and post()[2] == refused)
        for each in waiting:
            each.close()
        # They have gone, and left their places.
        assert becomes(lambda: post()[0] == 200)


def test_work_for_a_user_who_has_gone_ends_and_leaves_nothing(running, uploads, becomes):
    def work_forever(path, parameters, report):
        while True:
            report("restoring", 0.5)
            time.sleep(0.01)

    head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: {}\r\nContent-Length: 1\r\n\r\nx"
    with running(Uploads(Limits(1, 100), 1).endpoint(work_forever)) as server:
        host, port = server.host.split(":")
        with socket.create_connection((host, int(port))) as gone:
            gone.sendall(head.format(BYTES).encode())
            while b"stage" not in gone.recv(4096):
                pass
            assert not is_empty(uploads)
        assert becomes(lambda: is_empty(uploads))


def test_the_list_of_networks_has_what_the_page_needs(server, shipped):
    settings = json.loads(server.request("GET", "/networks.json")[2])
    assert settings["engine"] == "server"
    assert settings["limits"] == {"seconds": 30, "bytes": 2_000_000}
    assert [each["name"] for each in settings["networks"]] == [*shipped.values()]
    for each in settings["networks"]:
        assert each["about"].startswith("Restores ")
        assert {*each["metadata"]} == {"sample_rate", "ratio", "band_hz"}
        assert each["metadata"]["sample_rate"] == 16000
