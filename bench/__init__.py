"""Joins tasks, variants and results: expands a matrix, trains, evaluates, and the commands."""
