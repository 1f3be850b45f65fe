"""Archives are unpacked completely or not at all, and nowhere but in their folder."""

import bz2
import io
import lzma
import os
import tarfile
import zipfile

import numpy as np
import pytest
from wideband.command import UserError
from wideband.data_gen.unpack import unpack

NOISE = np.random.default_rng(0).bytes(60_000)
FILES = {"corpus/a.wav": NOISE, "corpus/deep/b.txt": b"text", "README": b""}


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            member = zipfile.ZipInfo(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(member, "w") as file:
                file.write(content)
    return buffer.getvalue()


def tarred(files, compression="gz", links=(), kind=tarfile.SYMTYPE):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return buffer.getvalue()


def packed(suffix, *more):
    """An archive of the files and of more: pairs of name and content."""
    files = [*FILES.items(), *more]
    return zipped(files) if suffix == "zip" else tarred(files, suffix.removeprefix("tar."))


@pytest.fixture
def unpacked(tmp_path):
    """Returns a function that unpacks the folder "corpus" of an archive, given as bytes."""

    def unpacked(suffix, content):
        archive = tmp_path / "in" / f"archive.{suffix}"
        archive.parent.mkdir(exist_ok=True)
        archive.write_bytes(content)
        unpack(archive, "corpus", tmp_path / "in" / "out" / "corpus")
        return tmp_path / "in" / "out" / "corpus"

    return unpacked


@pytest.fixture
def refusal(unpacked, tmp_path):
    """Returns a function that unpacks what must be refused; nothing but the archive is left."""

    def refusal(suffix, content):
        with pytest.raises(UserError) as caught:
            unpacked(suffix, content)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path}/in/archive.{suffix}: ")
        assert "remove this archive" in message and "\n" not in message
        left = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")]
        assert sorted(left) == ["in", f"in/archive.{suffix}"]
        return message

    return refusal


SUFFIXES = ("zip", "tar.gz", "tar.bz2", "tar.xz")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_folder_of_an_archive_is_unpacked(unpacked, suffix):
    folder = unpacked(suffix, packed(suffix))
    assert (folder / "a.wav").read_bytes() == NOISE
    assert (folder / "deep" / "b.txt").read_bytes() == b"text"
    assert sorted(path.name for path in folder.iterdir()) == ["a.wav", "deep"]
    assert sorted(path.name for path in folder.parents[1].iterdir()) == [f"archive.{suffix}", "out"]


@pytest.mark.parametrize("name", ["./corpus/c.txt", "corpus//c.txt", "corpus/./c.txt"])
@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_names_with_empty_parts_are_as_good_as_others(unpacked, suffix, name):
    assert (unpacked(suffix, packed(suffix, (name, b"c"))) / "c.txt").read_bytes() == b"c"


# Elsewhere


@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../evil.txt", "/evil.txt", "C:\\evil.txt", "..\\evil.txt"]
)
def test_a_zip_with_a_path_outside_its_folder_is_refused(refusal, name):
    assert "evil.txt' would be unpacked outside" in refusal("zip", packed("zip", (name, b"evil")))


@pytest.mark.parametrize("name", ["../evil.txt", "corpus/../../evil.txt"])
def test_a_tar_with_a_path_outside_its_folder_is_refused(refusal, name):
    message = refusal("tar.bz2", packed("tar.bz2", (name, b"evil")))
    assert "refused, " in message and "outside the destination" in message


def test_an_absolute_path_in_a_tar_is_unpacked_inside_its_folder(unpacked, tmp_path):
    unpacked("tar.gz", packed("tar.gz", (f"{tmp_path}/evil.txt", b"evil")))
    assert not list(tmp_path.rglob("evil.txt"))


@pytest.mark.parametrize("target", ["/etc", "../../../evil"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_to_the_outside_is_refused(refusal, target, kind):
    message = refusal("tar.gz", tarred(FILES.items(), "gz", [("corpus/out", target)], kind))
    assert "refused, " in message or "cannot be unpacked" in message


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_device_in_a_tar_is_refused(refusal, kind):
    message = refusal("tar.gz", tarred(FILES.items(), "gz", [("corpus/null", "")], kind))
    assert "refused, 'corpus/null' is a special file" in message


def test_a_link_in_a_circle_is_unpacked_as_it_is(unpacked):
    folder = unpacked("tar.gz", tarred(FILES.items(), "gz", [("corpus/me", "me")]))
    assert (folder / "me").is_symlink()


# Names that no file can have


@pytest.mark.parametrize(
    "more",
    [
        [("", b"x")],
        [(".", b"x")],
        [("corpus", b"x")],
        [("corpus/a.wav/c.txt", b"x")],
        [("corpus/" + "n" * 300, b"x")],
        [("corpus/" + "n/" * 3000, b"x")],
    ],
    ids=["empty", "dot", "file like a folder", "folder like a file", "long", "deep"],
)
@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_a_name_that_no_file_can_have_is_refused(refusal, suffix, more):
    refusal(suffix, packed(suffix, *more))


# Damage


@pytest.mark.parametrize("kept", [0, 1, 100, 511, 512, 5000, 30_000, 60_000])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_archive_is_refused(refusal, suffix, kept):
    refusal(suffix, packed(suffix)[:kept])


@pytest.mark.parametrize("content", [b"words" * 999, b"\0" * 20_000, os.urandom(4000)])
@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_what_is_no_archive_is_refused(refusal, suffix, content):
    refusal(suffix, content)


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress, lambda content: content])
def test_a_compressed_file_that_is_no_tar_is_refused(refusal, pack):
    refusal("tar.gz", pack(NOISE))


@pytest.mark.parametrize("suffix", ["zip", "tar.bz2", "tar.xz"])
def test_a_changed_byte_is_refused(refusal, suffix):
    content = bytearray(packed(suffix))
    content[30_000] ^= 1
    refusal(suffix, bytes(content))


def test_an_encrypted_zip_is_refused(refusal):
    content = bytearray(packed("zip"))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    assert "encrypted" in refusal("zip", bytes(content))


def test_an_archive_of_another_corpus_is_refused(refusal):
    assert "has no folder corpus" in refusal("tar.gz", tarred([("other/a.wav", b"x")]))


@pytest.mark.parametrize("suffix", ["zip", "tar.gz"])
def test_a_full_disk_is_not_the_archives_fault(unpacked, tmp_path, file_limit, suffix):
    content = packed(suffix, ("corpus/silence.wav", bytes(1_000_000)))
    expected = pytest.raises(UserError, match=r"out/corpus: cannot be written: File too")
    with expected, file_limit(500_000):
        unpacked(suffix, content)
    assert [path.name for path in (tmp_path / "in").iterdir()] == [f"archive.{suffix}"]
    assert (unpacked(suffix, content) / "silence.wav").stat().st_size == 1_000_000
