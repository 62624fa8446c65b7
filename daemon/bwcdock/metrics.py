"""Figures for machines: the view of a station as Prometheus reads it; computed, never stored."""
