"""Which quirk fits what is docked, and which of several fits it more closely."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from bwcdock.core.inquiry import NAMELESS
from pydantic import Field, model_validator

from .patterns import PathPattern, Pattern, Regex, Strict, UdevName, UdevValues

FileSystem = Literal["fat12", "fat16", "fat32", "exfat", "ntfs", "ext", "folder", "mtp"]

CHIP = frozenset({"ID_VENDOR_ID", "ID_MODEL_ID", "ID_REVISION"})
"""What tells a chip and not a make: makers of cheap recorders keep the numbers of the chip they bought."""


@dataclass(frozen=True, kw_only=True)
class Looks:
    """How something docked looks, as far as it can be known before a quirk is chosen.

    ``inquiry`` is SCSI vendor and product, lower case, without blanks and underscores; ``told`` what udev says of it,
    the names of what it hangs on with ``@`` before them; ``paths`` are those of its files.
    """

    label: str
    filesystem: str
    inquiry: str
    paths: Sequence[str]
    told: Sequence[tuple[str, str]] = ()

    @cached_property
    def folders(self) -> frozenset[str]:
        """Every folder in which some file lies, at any depth."""
        found: set[str] = set()
        for path in self.paths:
            folder = path.rpartition("/")[0]
            while folder and folder not in found:
                found.add(folder)
                folder = folder.rpartition("/")[0]
        return frozenset(found)


class Match(Strict):
    """When a quirk applies: every condition given must hold."""

    inquiry: Regex | None = None
    paths: tuple[PathPattern, ...] = ()
    folders: tuple[PathPattern, ...] = ()
    udev: dict[UdevName, UdevValues] = Field(default_factory=dict)
    label: Regex | None = None
    filesystem: tuple[FileSystem, ...] = ()
    without: tuple[PathPattern, ...] = ()

    @model_validator(mode="after")
    def _tells_makes_apart(self) -> "Match":
        if self.inquiry:
            nameless = next((name for name in NAMELESS if self.inquiry.search(name)), "")
            if nameless:
                raise ValueError(f"inquiry fits {nameless}, which chips of every make answer")
        alone = self.count and not (self.inquiry or self.paths or self.folders or self.label)
        if alone and self.udev and set(self.udev) <= CHIP:
            raise ValueError("udev has the numbers of a chip alone, which many makes share; add another condition")
        return self

    @property
    def count(self) -> int:
        """How many conditions there are."""
        return sum(self.closeness)

    @property
    def closeness(self) -> tuple[int, ...]:
        """How closely it describes, to be compared: conditions of each kind, the kind that tells most first.

        What the firmware says of itself, how it lays out its files, what udev says of the device, what the volume is
        called, what the device hangs on, and last what most recorders have in common.
        """
        above = sum(name.startswith("@") for name in self.udev)
        return (
            int(self.inquiry is not None),
            len(self.paths) + len(self.folders),
            len(self.udev) - above,
            int(self.label is not None),
            above,
            int(bool(self.filesystem)) + len(self.without),
        )

    def holds(self, looks: Looks) -> bool:
        """Whether all conditions hold."""
        return not self.failing(looks)

    def failing(self, looks: Looks) -> tuple[str, ...]:
        """The conditions that do not hold, by their keys; the cheap ones are asked first, and files only after them."""
        failed = [name for name, values in self.udev.items() if not _told(name, values, looks.told)]
        if self.label and not self.label.search(looks.label):
            failed.append("label")
        if self.filesystem and looks.filesystem not in self.filesystem:
            failed.append("filesystem")
        if self.inquiry and not self.inquiry.search(looks.inquiry):
            failed.append("inquiry")
        return tuple(failed) or self.failing_files(looks)

    def failing_files(self, looks: Looks) -> tuple[str, ...]:
        """The conditions on files that do not hold, by their keys and places."""
        paths, folders = looks.paths, looks.folders
        failed = [f"paths.{n}" for n, p in enumerate(self.paths) if not any(map(p.search, paths))]
        failed += [f"folders.{n}" for n, p in enumerate(self.folders) if not any(map(p.search, folders))]
        failed += [f"without.{n}" for n, p in enumerate(self.without) if any(map(p.search, paths))]
        return tuple(failed)


def _told(name: str, values: Sequence[Pattern], told: Sequence[tuple[str, str]]) -> bool:
    """Whether udev says one of the values under that name; of several devices above, one is enough."""
    return any(key == name and any(v.search(said) for v in values) for key, said in told)
