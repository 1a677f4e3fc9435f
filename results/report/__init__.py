"""One HTML file that says what a store's runs show; nothing is loaded from elsewhere."""

from results.report.sections import write

__all__ = ["write"]
