"""Folders with recordings and names that other programs wrote."""

import os

import pytest
import soundfile
from wideband.evaluate import metrics, snr

SAMPLE_RATE = 8000


@pytest.fixture
def folders(tmp_path):
    """Two empty folders."""
    folders = tmp_path / "clean", tmp_path / "upsampled"
    for folder in folders:
        folder.mkdir()
    return folders


@pytest.fixture
def run(folders, tmp_path, call):
    """Returns a function that runs the command: (exit code, output, error)."""

    def run():
        flags = [f"--references={folders[0]}", f"--estimates={folders[1]}", "--metric=snr"]
        return call(snr.command, *flags, f"--output={tmp_path / 'snr.csv'}")

    return run


def set_sample_count(path, count):
    """Replaces the number of samples in the header of a FLAC file; 0 means unknown."""
    content = bytearray(path.read_bytes())
    content[22:26] = count.to_bytes(4, "big")
    path.write_bytes(content)


def test_a_flac_file_without_a_sample_count_is_measured_to_its_end(
    folders, tmp_path, noise, run, rows
):
    wave = noise(4000)
    for folder, factor in zip(folders, (1, 0.9), strict=True):
        soundfile.write(folder / "a.flac", factor * wave, SAMPLE_RATE)
    pair = [soundfile.read(folder / "a.flac")[0] for folder in folders]
    for folder in folders:
        set_sample_count(folder / "a.flac", 0)
    code, _, err = run()
    assert code == 0, err
    [row] = rows(tmp_path / "snr.csv")
    assert row["seconds"] == "0.5"
    assert float(row["snr"]) == pytest.approx(metrics.snr(*pair), rel=1e-6)


def test_a_flac_file_with_a_wrong_sample_count_is_left_out(
    folders, tmp_path, noise, run, rows, error_line
):
    for folder in folders:
        for name in "ab":
            soundfile.write(folder / f"{name}.flac", noise(4000), SAMPLE_RATE)
    set_sample_count(folders[0] / "a.flac", 10**9)
    code, _, err = run()
    assert code == 1
    assert "1 left out, a: " in error_line(err)
    assert [row["name"] for row in rows(tmp_path / "snr.csv")] == ["b"]


def test_names_that_are_not_utf_8_are_measured(folders, tmp_path, noise, run, rows):
    for folder in folders:
        path = os.fsdecode(os.fsencode(folder) + b"/caf\xe9.wav")
        try:
            soundfile.write(os.fsencode(path), noise(4000), SAMPLE_RATE)
        except soundfile.LibsndfileError:
            pytest.skip("the file system has no such names")
    code, _, err = run()
    assert code == 0, err
    # The table is UTF-8 all the same.
    assert [row["name"] for row in rows(tmp_path / "snr.csv")] == ["caf\\udce9"]


def test_links_to_folders_are_followed(folders, tmp_path, noise, run, rows):
    (tmp_path / "elsewhere").mkdir()
    soundfile.write(tmp_path / "elsewhere" / "a.wav", noise(4000), SAMPLE_RATE)
    for folder in folders:
        (folder / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    code, _, err = run()
    assert code == 0, err
    assert [row["name"] for row in rows(tmp_path / "snr.csv")] == ["link/a"]


def test_a_folder_that_is_its_own_reference_is_perfect(folders, noise, call, tmp_path, rows):
    soundfile.write(folders[0] / "a.wav", noise(4000), SAMPLE_RATE)
    flags = [f"--references={folders[0]}", f"--estimates={folders[0]}", "--metric=snr"]
    code, out, err = call(snr.command, *flags, f"--output={tmp_path / 'snr.csv'}")
    assert code == 0, err
    assert rows(tmp_path / "snr.csv")[0]["snr"] == "inf"
    assert out.splitlines()[-1].split()[-3:] == ["-", "0", "1"]
