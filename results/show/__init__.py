"""Prints tables, curves, comparisons, claims and single runs on a terminal."""
