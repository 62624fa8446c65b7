"""The desk: what people state and do, turned into facts; by command line, socket and page alike."""

from bwcdock.desk.doing import Done, do

__all__ = ["Done", "do"]
