"""Android recorders with the com.zzx.sdk service, asked in JSON lines by way of adb. EXPERIMENTAL.

Claims: a USB device with adb's interface (ff/42/01): 30, less than MTP, by which its files can be had at once; 10 where
no adb server can be asked; nothing else.
Speaks: nine requests of the service, each in ``wire.py``; the broadcast that starts it; and the adb server's own words.
Can: number, wearer, unit, battery, room, clock and its setting, unlocking, switching to the disk.
Needs: an adb server behind a socket (``bwcdock-adb.service.example``), which needs the USB node; that the recorder
trusts the server's key. The recorder's password, from the station's secrets.
Quirks: ``quirks/zzx.toml``, for its disk.
Tested with: a recorder of our own behind the same bytes, and behind a server that speaks as adb's. No hardware: nothing
of the protocol was ever checked on a recorder.
"""
