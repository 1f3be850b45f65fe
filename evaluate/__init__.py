"""Metrics of an estimate against its reference, their summary and the report of a run.

- `metrics`: functions of two waves, by every convention in use.
- `recognizers`: speech recognizers, for the word error rate.
- Beside them, the commands and what they share: `folders` and `systems` measure, `summary` and
  `word_errors` sum up, `figures` and `report` show.
"""
