"""The checksums of the shipped networks."""

import pytest
from wideband.command import UserError
from wideband.models import pretrained


@pytest.mark.parametrize("content", [b"0123  speech-4x/run.json\n", b"half of a li", b"\xff\xfe"])
def test_damaged_checksums_are_refused(tmp_path, monkeypatch, content):
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path)
    (tmp_path / "SHA256SUMS").write_bytes(content)
    for find in (pretrained.names, lambda: pretrained.find("speech-4x")):
        with pytest.raises(UserError, match="SHA256SUMS: damaged; install wideband again"):
            find()
