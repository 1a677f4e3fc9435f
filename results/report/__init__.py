"""Writes a report on a store's runs: one HTML file that loads nothing from elsewhere."""

from results.report.document import write

__all__ = ["write"]
