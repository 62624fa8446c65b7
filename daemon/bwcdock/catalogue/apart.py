"""Papers read by processes of their own: checking signatures keeps a core busy, and writing what they say another."""

import multiprocessing
import os
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from bwcdock.catalogue.papers import Batch, Papers
from bwcdock.errors import BwcdockError, Misbehaved, Unreachable

END_S = 5.0
"""How long the process may take to end once nobody listens to it."""

MOST = 4
"""Processes that read at once: one database takes no more than they tell."""

OP = "read central storage"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    what: str
    hint: str


class Apart(Papers):
    """As the papers that ``recipe`` opens; of their many manifests other processes tell, a share each.

    They open them once more by the same recipe, which must be picklable. If this process dies, the others find nobody
    who listens, and end.
    """

    def __init__(self, recipe: Callable[[], Papers], readers: int | None = None) -> None:
        self.__dict__.update(vars(recipe()))
        self._recipe = recipe
        self._readers = readers or min(MOST, os.cpu_count() or 1)

    def manifests(self, share: int = 0, of: int = 1) -> Generator[Batch]:
        """See :meth:`Papers.manifests`; all of them, in no order."""
        assert (share, of) == (0, 1)
        context = multiprocessing.get_context("spawn")
        readers: dict[Connection, BaseProcess] = {}
        try:
            for number in range(self._readers):
                ours, its = context.Pipe(duplex=False)
                told = (self._recipe, number, self._readers, its)
                readers[ours] = context.Process(target=_tell, args=told, name="reads papers", daemon=True)
                readers[ours].start()
                its.close()
            yield from self._heard(set(readers))
        finally:
            for ours in readers:
                ours.close()
            for reader in readers.values():
                reader.join(END_S)
                reader.kill()
                reader.join()
                reader.close()

    def _heard(self, at_work: set[Connection]) -> Generator[Batch]:
        while at_work:
            for one in wait(list(at_work)):
                assert isinstance(one, Connection)
                try:
                    told = one.recv()
                except EOFError as error:
                    raise Misbehaved(OP, "A process that reads the papers died.", "Begin again.") from error
                if isinstance(told, _Failed):
                    raise Unreachable(OP, told.what, told.hint, self.name)
                if told is None:
                    at_work.discard(one)
                else:
                    yield told


def _tell(recipe: Callable[[], Papers], share: int, of: int, into: Connection) -> None:
    """What another process does."""
    with suppress(BrokenPipeError, KeyboardInterrupt), into:
        try:
            for batch in recipe().manifests(share, of):
                into.send(batch)
        except BwcdockError as error:
            into.send(_Failed(what=error.what, hint=error.hint))
        else:
            into.send(None)
