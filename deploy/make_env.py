"""Write ``.env`` for docker-compose.yml, with a fresh random value for every secret.

Usage: python3 deploy/make_env.py [FILE]

Needs nothing but Python 3.9, so that it runs on the machine that has Docker and nothing else.
A file that is there is never overwritten: its secrets open the volumes that were made with them.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

TEXT = """\
# Secrets of this deployment. Keep this file; keep it private; back it up apart from the volumes.
POSTGRES_PASSWORD={postgres}
REDIS_PASSWORD={redis}
GRAFT_SECRET_KEY={graft}
GARAGE_RPC_SECRET={garage}
# Garage's form of a key: GK and 24 hexadecimal digits, with a secret of 64.
S3_ACCESS_KEY_ID=GK{access}
S3_SECRET_ACCESS_KEY={secret}

# Which address and port the API is published on, and which GPU the worker takes.
GRAFT_LISTEN=127.0.0.1
GRAFT_PUBLISHED_PORT=8000
GRAFT_GPU=0
"""


def env_text() -> str:
    """Return the file's text with new secrets; all are hexadecimal, so safe within a URL."""
    return TEXT.format(
        postgres=secrets.token_hex(24),
        redis=secrets.token_hex(24),
        graft=secrets.token_hex(32),
        garage=secrets.token_hex(32),
        access=secrets.token_hex(12),
        secret=secrets.token_hex(32),
    )


def main(arguments: list[str]) -> int:
    """Write the file, readable by its owner alone; return the exit status."""
    default = Path(__file__).resolve().parent.parent / ".env"
    path = Path(arguments[0]) if arguments else default
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.stderr.write(f"{path} is there already; it was left as it is.\n")
        return 1
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(env_text())
    sys.stdout.write(f"Wrote {path}, readable by you alone.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
