"""Fixtures of the tests of the report and of wideband-evaluate."""

import pytest


@pytest.fixture
def plain_spectrograms(monkeypatch):
    """Replaces spectrograms, which take long to draw, with small empty figures."""
    from matplotlib.figure import Figure
    from wideband.evaluate import figures

    monkeypatch.setattr(figures, "spectrograms", lambda *_, **__: Figure(figsize=(1, 1)))
