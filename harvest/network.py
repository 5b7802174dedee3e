"""Keeping downloads away from private addresses, whatever a playlist, a page or a redirect asks for.

The check stands where every connection of Python's passes: the audit event of `socket.connect`, which sees the
address after name resolution. A program that is given an address would connect past it, so none is started; one
that only gets files or text may run. Audit hooks cannot be removed, so one is set per process and told when to look.
"""

import ipaddress
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ADVICE = "--set source.allow_private=true lifts this guard, also from addresses of your own network"

EMBEDDING_NETWORKS = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "::/96",  # the old "IPv4-compatible" addresses
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b::/96",  # NAT64
    )
)
"""IPv6 addresses of these networks lead to the IPv4 address in their last 32 bits."""

LOCAL_NAT64 = ipaddress.IPv6Network(
    "64:ff9b:1::/48"
)  # where the IPv4 address stands in it is each network's own choice

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class PrivateAddressError(OSError):
    """A connection to an address that is not public was refused."""


class UnguardedProgramError(OSError):
    """A program that would itself have connected to an address was not started."""


class _Guard:
    """The process's one hook and whether it is looking."""

    installed = False
    looking = False


@contextmanager
def public_addresses_only(*, enabled: bool = True) -> Iterator[None]:
    """Within the block nothing leaves for a loopback, private, link-local, multicast or reserved address.

    Python's connections raise PrivateAddressError, the start of a program with an address among its arguments raises
    UnguardedProgramError. All threads of the process are held to it. `enabled=False` changes nothing.
    """
    if not _Guard.installed:
        sys.addaudithook(_refuse_what_is_private)
        _Guard.installed = True
    before, _Guard.looking = _Guard.looking, enabled or _Guard.looking
    try:
        yield
    finally:
        _Guard.looking = before


def is_public(host: str) -> bool:
    """Whether the IP address `host`, and the IPv4 address that it may stand for, is one of the public network."""
    address = _led_to(ipaddress.ip_address(host.partition("%")[0]))
    if isinstance(address, ipaddress.IPv6Address) and (address.is_site_local or address in LOCAL_NAT64):
        return False
    return address.is_global and not address.is_multicast


def _led_to(address: Address) -> Address:
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if any(address in network for network in EMBEDDING_NETWORKS):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour or address


def _refuse_what_is_private(event: str, arguments: tuple[Any, ...]) -> None:
    if not _Guard.looking:
        return
    if event == "socket.connect":
        _check_address(arguments[1])
    elif event == "subprocess.Popen":
        _check_program(*arguments[:2])


def _check_address(address: object) -> None:
    if not isinstance(address, tuple):
        return  # a Unix socket leaves no machine
    host = str(address[0])
    if not is_public(host):
        raise PrivateAddressError(f"{host} is not a public address; {ADVICE}")


def _check_program(program: Any, arguments: Any) -> None:
    words = [arguments] if isinstance(arguments, str | bytes | os.PathLike) else [*arguments]
    if any("://" in os.fsdecode(word) for word in words):
        name = Path(os.fsdecode(program or words[0])).name
        raise UnguardedProgramError(f"only {name} can fetch this, and it could be led to private addresses; {ADVICE}")
