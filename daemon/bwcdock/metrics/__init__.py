"""Figures for machines: a station as Prometheus reads it, and whether it is well; computed, never stored."""

from bwcdock.metrics.exposition import CONTENT_TYPE, Memory, exposition
from bwcdock.metrics.health import Check, Health, alive, health

__all__ = ["CONTENT_TYPE", "Check", "Health", "Memory", "alive", "exposition", "health"]
