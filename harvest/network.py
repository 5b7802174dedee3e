"""Keeping downloads away from private addresses, whatever a playlist, a page or a redirect asks for.

The check stands where every connection passes: Python's audit event of `socket.connect`, which sees the address
after name resolution. Audit hooks cannot be removed, so one is set per process and told when to look.
"""

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class PrivateAddressError(OSError):
    """A connection to an address that is not public was refused."""


class _Guard:
    """The process's one hook and whether it is looking."""

    installed = False
    looking = False


@contextmanager
def public_addresses_only(*, enabled: bool = True) -> Iterator[None]:
    """Within the block no connection leaves for a loopback, private, link-local or reserved address.

    Connections of all threads of the process are held to it. `enabled=False` changes nothing.
    """
    if not _Guard.installed:
        sys.addaudithook(_refuse_private_address)
        _Guard.installed = True
    before, _Guard.looking = _Guard.looking, enabled or _Guard.looking
    try:
        yield
    finally:
        _Guard.looking = before


def _refuse_private_address(event: str, arguments: tuple[object, ...]) -> None:
    if event != "socket.connect" or not _Guard.looking:
        return
    address = arguments[1]
    if not isinstance(address, tuple):
        return  # a Unix socket leaves no machine
    host = str(address[0])
    if not ipaddress.ip_address(host.partition("%")[0]).is_global:
        raise PrivateAddressError(
            f"{host} is not a public address; --set source.allow_private=true allows addresses of your own network"
        )
