"""Which recordings a hold keeps, asked of the ledger."""

from collections.abc import Iterable

from bwcdock.core.desk import attribution
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.holds import Hold, keeping
from bwcdock.core.desk.people import Person
from bwcdock.core.record import Record
from bwcdock.ledger import Reader


def held(ledger: Reader, records: Iterable[Record]) -> frozenset[str]:
    """The ids of those of ``records`` that may neither be erased nor expire.

    Whose they are is asked only where a hold names a person, and only of their own recorders: the lines of issue of
    some years are long, and this is asked before every lock.
    """
    holds, records = ledger.matters(Hold, "placed"), list(records)
    devices: dict[str, Device] = {}
    people: list[Person] = []
    if any(hold.person for hold in holds):
        people = ledger.matters(Person)
        found = (ledger.matter(Device, serial) for serial in {record.recorder for record in records})
        devices = {device.id: device for device in found if device is not None}
    return frozenset(
        record.id
        for record in records
        if keeping(record, attribution.officers_of(record, devices, people), holds) is not None
    )


def under(ledger: Reader, hold: Hold) -> list[str]:
    """The ids of all recordings that fit this hold, standing or lifted, and of a few more: :func:`held` judges."""
    if hold.records:
        return list(hold.records)
    own = attribution.own(hold.person, ledger.matters(Device), ledger.matters(Person)) if hold.person else None
    return ledger.recorded_ids(
        recorder=hold.device, own=own, place=hold.place, since=hold.since_recorded, until=hold.until_recorded
    )
