"""bwcdock: the docking station that carries recordings from body-worn recorders to central storage, proven."""

__version__ = "0.1.0"
