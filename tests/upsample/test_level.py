"""A quieter recording gets the same output, quieter by as much."""

import numpy as np
import pytest
import soundfile
from wideband.upsample.__main__ import command

LEVELS_DB = (0, -20, -40, -60)


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_the_output_of_the_command_scales_with_the_recording(
    subtype, any_band_run, speech, call, tmp_path
):
    wave = speech(32000)[::4].astype(np.float64)
    (tmp_path / "old").mkdir()
    for level_db in LEVELS_DB:
        scaled = 0.5 * wave / np.abs(wave).max() * 10 ** (level_db / 20)
        soundfile.write(tmp_path / "old" / f"{-level_db}.wav", scaled, 4000, subtype=subtype)
    arguments = (tmp_path / "old", f"--model={any_band_run}", f"--output={tmp_path / 'new'}")
    code, out, err = call(command, *arguments, "--peak=float")
    assert code == 0, err
    assert "silent" not in out
    found = [soundfile.read(tmp_path / "new" / f"{-level_db}.wav")[0] for level_db in LEVELS_DB]
    levels_db = [20 * np.log10(np.std(each)) for each in found]
    np.testing.assert_allclose(np.subtract(levels_db, levels_db[0]), LEVELS_DB, rtol=0, atol=0.5)
