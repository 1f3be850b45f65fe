"""Archives as torch.save writes them, and their refusal."""

import zipfile

import pytest
from wideband.command import UserError
from wideband.models import torch_checkpoint


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes an archive of a pickle and storages, as torch.save does."""

    def write(pickled, storages=(), compression=zipfile.ZIP_STORED, **others):
        path = tmp_path / "checkpoint.pt"
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr("archive/data.pkl", pickled)
            for key, storage in enumerate(storages):
                archive.writestr(f"archive/data/{key}", storage.tobytes())
            for name, content in others.items():
                archive.writestr(f"archive/{name}", content)
        return path

    return write


@pytest.fixture
def refusal():
    """Returns a function that opens a file, which must be refused, and returns the message."""

    def refusal(path):
        with pytest.raises(UserError) as raised, torch_checkpoint.opened(path):
            pass
        message = str(raised.value)
        assert message.startswith(f"{path}: ")
        assert message.isprintable() and len(message) < len(str(path)) + 200
        return message.removeprefix(f"{path}: ")

    return refusal
