"""The registry of networks and the table that it prints."""

import subprocess
import sys

import pytest
from wideband import models
from wideband.models import pretrained


def test_an_unknown_network_is_named_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"'unet'.*audiounet"):
        models.build("unet")


def test_an_unknown_argument_is_refused():
    with pytest.raises(ValueError, match=r"audiounet: .*wdith"):
        models.build("audiounet", wdith=0.5)


def test_the_table_shows_every_network_with_its_parameters():
    table = subprocess.run(
        [sys.executable, "-m", "wideband.models"], capture_output=True, text=True, check=True
    ).stdout
    networks, trained = (
        {line.split()[0]: line for line in part.splitlines()} for part in table.split("\n\n")
    )
    assert set(models.names()) <= set(networks)
    assert set(pretrained.names()) <= set(trained)
    assert trained["speech-4x"].split()[1:4] == ["framenet", "4000", "16000"]
    assert trained["speech-4x"].endswith("Keras") and trained["phone-2x"].endswith("TFLite")
    assert "56,411,394" in networks["audiounet"]
    assert "Kuleshov et al. 2017" in networks["audiounet"]
