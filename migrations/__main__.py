"""``python -m migrations upgrade``: bring the database of the settings to the newest version.

The deployed form runs this once before anything else starts; the embedded form does the same by
itself. Running it again, or twice at once, does no harm.
"""

from __future__ import annotations

import sys

from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from migrations import upgrade
from store.settings import Settings

_USAGE = "usage: python -m migrations upgrade   (the database is that of GRAFT_DATABASE_URL)"


def main(arguments: list[str]) -> int:
    """Upgrade the database; return the exit status."""
    if arguments != ["upgrade"]:
        sys.stderr.write(f"{_USAGE}\n")
        return 2
    url = Settings().resolved_database_url()
    # Hides the password.
    shown = make_url(url).render_as_string(hide_password=True)
    try:
        upgrade(url)
    except OperationalError as error:
        sys.stderr.write(f"{shown} cannot be used: {error.orig}\n")
        return 1
    sys.stdout.write(f"{shown} is at the newest version.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
