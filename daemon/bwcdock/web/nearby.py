"""Which addresses are the station's own screens."""

from ipaddress import IPv6Address, ip_address, ip_network

from bwcdock.settings import Web


def is_nearby(address: str, web: Web) -> bool:
    """Whether this is an address of one of the networks whose screens belong to the station."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(known, IPv6Address) and known.ipv4_mapped:
        known = known.ipv4_mapped
    return any(known in ip_network(network) for network in web.screens)
