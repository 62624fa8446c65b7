"""Looks at every central storage of the settings, over its own line, and says of each what to do.

It asks what the pages must never ask (they have neither the network nor the keys for it), so it stands apart.
"""

import os
from collections.abc import Iterator, Mapping

from bwcdock import stores
from bwcdock.doctor import Advice
from bwcdock.errors import BwcdockError
from bwcdock.ports import Clock, Probes, Sink
from bwcdock.settings import FolderSink, S3Sink, Secret, Settings, SftpSink
from bwcdock.steps.witness import folder_of

TOPIC = "storage"


def storage(settings: Settings, clock: Clock, environ: Mapping[str, str] = os.environ) -> Iterator[Advice]:
    """That each answers and is the one it was, and that its account may do no more than it needs."""
    for sink in settings.sink:
        if missing := [s.credential for s in _secrets(sink) if s.credential and "CREDENTIALS_DIRECTORY" not in environ]:
            # Only the unit is handed these; a doctor who is called by hand cannot know more, and that is no fault.
            what = f"{sink.name} is not asked from here: {', '.join(missing)} is handed to the station's unit alone."
            yield Advice(topic=TOPIC, well=True, what=what, remedy="See docs/storage.md on how to ask it.")
            continue
        try:
            found = stores.named(settings, sink.name, clock)
            found.newest(folder_of(settings.station.name), ".note", 1)
            yield Advice(topic=TOPIC, well=True, what=f"{sink.name} answers at {sink.place}, and is the one it was.")
            yield from _probed(sink.name, found)
        except BwcdockError as error:
            yield Advice(topic=TOPIC, well=False, what=f"{sink.name}: {error.what}", remedy=error.hint)


def _probed(name: str, found: Sink) -> Iterator[Advice]:
    """What was found by trying: of abilities only what is amiss, `bwcdock sinks check` has them all."""
    if isinstance(found, Probes):
        for probe in found.probe():
            if not probe.good or probe.word != "ability":
                yield Advice(topic=TOPIC, well=probe.good, what=f"{name}: {probe.what}", remedy=probe.remedy)


def _secrets(sink: FolderSink | S3Sink | SftpSink) -> tuple[Secret, ...]:
    match sink:
        case S3Sink():
            return (sink.access_key, sink.secret_key)
        case SftpSink():
            return (sink.private_key,)
        case FolderSink():
            return ()
