"""Loads parts and tasks from outside, and checks that they keep the contract."""

GROUPS = ("seq2seq_bench.variants", "seq2seq_bench.tasks")
"""Entry-point groups in which packages offer plugins."""
