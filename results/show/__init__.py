"""Prints what came out: tables, curves, verdicts, single runs."""
