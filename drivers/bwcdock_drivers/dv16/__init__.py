"""Recorders that answer vendor SCSI commands before they become a disk: "DV16 DEVICE V1.00" (Jieli). EXPERIMENTAL.

Claims: a disk without a medium whose INQUIRY begins with these words: 80; nothing else. With its medium it is a disk,
and the driver ``mass-storage`` reads it.
Speaks: nine vendor commands by SG_IO, and INQUIRY; each of them stands in ``wire.py``, and no other is ever sent.
Can: number, wearer, unit, battery, setting the clock, unlocking, switching to the disk. It cannot read the clock.
Needs: read permission on the disk's node, and CAP_SYS_RAWIO to send vendor commands: a helper behind a socket has it
(``bwcdock-vendor@.service``), the station does not. The recorder's password, from the station's secrets.
Quirks: ``quirks/dv16.toml`` for the zone of its clock, and for its disk.
Tested with: a unit of our own behind the same bytes. No hardware: nothing of the protocol was ever checked on a
recorder.
"""
