"""Metrics, their statistics, word errors and the report of a run.

- `metrics`: functions of a reference and an estimate, in every convention in use, and statistics.
- `words`: speech recognizers and word errors.
- `measurement`, `evaluation` and `evaluated`: a run next to baselines on a split, for
  wideband-evaluate.
- `folders` and `score`: folders of recordings, for the commands snr, lsd, quality and compare.
- `transcripts`: the texts of recordings, for wer.
- `left_out`: what cannot be measured, which no command leaves out without a word.
- `results`, `figures`, `curves` and `report`: tables, files, figures and the page of results.
"""
