"""Recorders that speak MTP or PTP: by USB with an interface of their own instead of a disk, or by TCP (PTP/IP).

Claims: a USB device with a still-image interface (06/01/01): 70; with a vendor's interface named MTP: 60; with one
whose name may not be asked: 10; a responder at ``ptpip://host:port`` that takes connections: 50; nothing else.
Speaks: fifteen operations of PTP, MTP and Android's extension of it, by an initiator of our own; none of them writes
to a storage.
Can: list, read any part also past 4 GiB, battery, room, clock and its setting where the recorder has one, events.
Needs: read and write permission on the USB node (requests are written to it); libusb, which comes with the program.
Quirks: ``quirks/*.toml`` and drop-in directories; the file system is called ``mtp``.
Tested with: a responder of our own over USB packets and TCP, which libgphoto2 understands as well; umtp-responder and
a recorder in Python (usbip) over the USB stack of a Linux kernel in a virtual machine; no hardware yet.
"""
