"""Metrics of an estimate against its reference, their summary and the report of a run."""
