"""Metrics, their statistics, word errors and the report of a run.

- `metrics`: functions of a reference and an estimate, in every convention in use, and statistics.
- `words`: speech recognizers and word errors.
- `measurement` and `evaluation`: a run next to baselines on a split, for wideband-evaluate.
- `folders` and `score`: folders of recordings, for the commands snr, lsd, quality and compare.
- `results`, `figures`, `curves` and `report`: tables, files, figures and the page of results.
"""
