"""Measurements of a whole station against its peers and against the floor under it: ``python -m bench``."""
