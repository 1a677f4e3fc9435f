"""Judges two versions of the code: timings, counts, quality."""
