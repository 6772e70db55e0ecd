"""Files that tell who we are, read only where nobody else could have read or changed them."""

from pathlib import Path

from tagfs.errors import BadCredentials
from tagfs.localfiles.trusted import Unreadable, Untrusted, read_secret, read_trusted
from tagfs.store.credentials.values import NotAvailable


def read_private(path: Path) -> str:
    """Return the text of a file with secrets.

    Raises:
        NotAvailable: no such file, or none for this user.
        BadCredentials: others could read it.
    """
    try:
        return read_secret(path)
    except FileNotFoundError:
        missing, reason = "no such file", ""
    except Unreadable:  # a service may have been left root's home
        missing, reason = "may not be read", ""
    except Untrusted as error:
        missing, reason = "", str(error)
    if missing:
        raise NotAvailable(f"{path} ({missing})")
    raise BadCredentials(reason)


def read_shown(path: Path) -> str:
    """Return the text of a file that others may read, as long as there is no secret in it.

    Raises:
        NotAvailable: no such file, or none for this user.
        BadCredentials: others could change it.
    """
    try:
        return read_trusted(path)
    except (FileNotFoundError, Unreadable):
        reason = ""
    except Untrusted as error:
        reason = str(error)
    if not reason:
        raise NotAvailable(f"{path} (no such file)")
    raise BadCredentials(reason)


def read_token(path: Path, named_by: str) -> str:
    """Return the token in a file, which a cluster renews and which is read anew each time.

    Clusters let everybody in a container read it (mode 0644), so only who could change it counts.

    Raises:
        BadCredentials: it is missing, empty, or no token.
    """
    try:
        token = read_trusted(path).strip()
    except FileNotFoundError:
        reason = f"{path} is not there"
    except Untrusted as error:
        reason = str(error)
    else:
        if token and token.isascii() and token.isprintable() and " " not in token:
            return token
        reason = f"{path} {'holds no token' if token else 'is empty'}"
    raise BadCredentials(f"{named_by}: {reason}")
