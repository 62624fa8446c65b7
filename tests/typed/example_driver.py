"""A whole driver: recorders that are one text file, whose lines are recordings."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from bwcdock.core.facts import Claim, Condition, Identity, Item, Sighting
from bwcdock.core.names import escape
from bwcdock.errors import Unplugged


class LinesRecorder:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = path.read_bytes().splitlines()

    def identity(self) -> Identity:
        return Identity(serial=escape(self._path.stem.encode()), basis="protocol", vendor="Lines")

    def condition(self, now: datetime) -> Condition:
        return Condition()  # this recorder tells neither clock nor battery nor room

    def items(self) -> list[Item]:
        claim = Claim(start=None, end=None, source="none", zone="UTC")
        sizes = enumerate(map(len, self._lines))
        return [Item(path=f"line{n}", size=size, modified=None, claim=claim) for n, size in sizes]

    def read_into(self, item: Item, offset: int, buffer: memoryview) -> int:
        if not self.present():
            raise Unplugged("read", "The file is gone.", "Dock it again.")
        part = self._lines[int(item.path.removeprefix("line"))][offset : offset + len(buffer)]
        buffer[: len(part)] = part
        return len(part)

    def present(self) -> bool:
        return self._path.exists()


class LinesDriver:
    name = "lines"

    def __init__(self, quirk_dirs: object = ()) -> None:
        pass

    def claims(self, sighting: Sighting) -> int:
        return 90 if sighting.source.endswith(".lines") else 0

    @contextmanager
    def open(self, sighting: Sighting) -> Iterator[LinesRecorder]:
        yield LinesRecorder(Path(sighting.source))
