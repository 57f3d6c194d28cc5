"""User names and passwords in addresses: they are in no message."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from index.core.errors import InvalidInput

# A colon before the last @: of a name and a password. A path of an object storage may have an @, too.
_USER = re.compile(r"(?<=://)[^@:/?#]*:.*@", re.DOTALL)


def without_user(url: str) -> str:
    """Return an address without user name and password, even if these were not written as they should be."""
    shorter = _USER.sub("", url)
    head, separator, rest = shorter.partition("://")
    host, slash, path = rest.partition("/")
    return f"{head}{separator}{host.rpartition('@')[2]}{slash}{path}"


def split_address(url: str) -> SplitResult | None:
    """Return the parts of an address; None if its host or its port is none.

    Raises:
        InvalidInput: it has a password with a character that ends the host of an address.
    """
    user = _USER.search(url)
    if user is not None and re.search("[/?#]", user[0]):
        raise InvalidInput(
            f"the password for {without_user(url)!r} has /, ? or #: write %2F, %3F or %23 in their place, and %40 for @"
        )
    try:
        parts = urlsplit(url)
        _ = parts.port  # parsed here
    except ValueError:
        return None
    return parts
