"""Compares variants over paired runs, and returns rows of effects with verdicts."""
