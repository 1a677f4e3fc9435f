"""Keeps the outcome of runs and answers questions about them.

Records, the store, statistics, comparisons, tables, reports, and the verdicts of doctor and guard.
Nothing in here imports torch, so that reading a store is quick.
"""
