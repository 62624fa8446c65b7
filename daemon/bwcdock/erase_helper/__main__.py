"""The program of `bwcdock-erase@.service`; its standard input is the connection."""

import os
import socket
import sys
import time

from bwcdock.erase_helper.kernel import Kernel
from bwcdock.erase_helper.serve import serve


def main() -> None:
    """Serve the one connection that systemd handed over."""

    def note(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    try:
        connection = socket.socket(fileno=os.dup(0))
    except OSError:
        sys.exit("Start it from its unit: standard input is no connection.")
    with connection:
        serve(
            connection,
            Kernel(credentials=os.environ.get("CREDENTIALS_DIRECTORY", "")),
            monotonic=time.monotonic,
            note=note,
        )


if __name__ == "__main__":
    main()
