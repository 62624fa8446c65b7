"""Under which names and addresses a station is asked for its pages."""

import fcntl
import re
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final

from bwcdock.settings import Web

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOCAL_NAMES: Final = ("localhost", "bwcdock")
"""Names that a browser on the machine itself may use."""

PRIVATE: Final[tuple[Network, ...]] = tuple(map(ip_network, (
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
    "::1/128", "fc00::/7", "fe80::/10",
)))  # fmt: skip
"""Networks whose addresses are nobody's in the world: a station gets another one of these, and stays itself."""

SIOCGIFADDR: Final = 0x8915

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names and addresses, sorted."""

    names: tuple[str, ...]
    addresses: tuple[Address, ...]

    @property
    def networks(self) -> tuple[Network, ...]:
        """The private networks, and every other address by itself."""
        others = [
            a for a in self.addresses if not any(a in network for network in PRIVATE if a.version == network.version)
        ]
        return (*PRIVATE, *(ip_network(str(address)) for address in others))


def names_of(web: Web) -> Names:
    """Those of the machine, of the settings, and of where the pages are listened for."""
    names = {*LOCAL_NAMES, socket.gethostname().lower(), *map(str.lower, web.names)}
    host = ip_address(web.tls_listen.rpartition(":")[0].strip("[]"))
    found = local_addresses() if host.is_unspecified else {host}
    addresses = {ip_address("127.0.0.1"), ip_address("::1"), *found}
    return Names(
        names=tuple(sorted(name for name in names if _NAME.fullmatch(name))),
        addresses=tuple(sorted(addresses, key=lambda address: (address.version, int(address)))),
    )


def local_addresses() -> set[Address]:
    """Every address of this machine, as the kernel has them now."""
    found: set[Address] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            try:
                told = fcntl.ioctl(asked, SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            except OSError:  # an interface without one
                continue
            found.add(IPv4Address(told[20:24]))
    try:
        lines = Path("/proc/net/if_inet6").read_text("ascii").splitlines()
    except OSError:  # a machine without IPv6
        lines = []
    every = {IPv6Address(bytes.fromhex(line.split()[0])) for line in lines}
    return found | {address for address in every if not address.is_link_local}  # those are asked for with a zone
