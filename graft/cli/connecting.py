"""Finding the service and the key: flags, then variables, then what `graft serve` left here."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from graft.client import Client

KEY_FILE = "admin.key"

UrlOption = Annotated[
    str | None,
    typer.Option("--url", envvar="GRAFT_URL", help="Address of the service.", show_default=False),
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        help="File with the API key; GRAFT_API_KEY holds the key itself.",
        show_default=False,
    ),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="GRAFT_DATA_DIR",
        help="Data directory of `graft serve` on this machine.",
        show_default="the user's data directory",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
WANTS_JSON = "graft.json"


def _remember(context: typer.Context, value: bool) -> bool:
    # An error is to be told in JSON, too, and is told where this option is not known.
    context.meta[WANTS_JSON] = value
    return value


JsonOption = Annotated[
    bool, typer.Option("--json", callback=_remember, help="Print JSON; errors, too.")
]


def default_data_dir() -> Path:
    """Return the data directory that ``store.settings`` has for a default, without loading it."""
    import platformdirs

    return Path(platformdirs.user_data_dir("graft"))


@dataclass(frozen=True)
class Chosen:
    """Which service, as the command line has it."""

    url: str | None = None
    key_file: Path | None = None
    data_dir: Path | None = None


_chosen: ContextVar[Chosen] = ContextVar("chosen")
_OPTIONS = {"url": UrlOption, "key_file": KeyFileOption, "data_dir": DataDirOption}


def chosen() -> Chosen:
    """Return which service the command was told to ask."""
    return _chosen.get(Chosen())


def asks_service(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which service is meant, for ``connect()`` to find."""

    @functools.wraps(command)
    def run(*args: Any, **given: Any) -> None:
        token = _chosen.set(Chosen(**{name: given.pop(name) for name in _OPTIONS}))
        try:
            command(*args, **given)
        finally:
            _chosen.reset(token)

    hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(annotation=hints[parameter.name])
        for parameter in inspect.signature(command).parameters.values()
    ]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in _OPTIONS.items()
    ]
    run.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
    run.__annotations__ = hints | _OPTIONS
    return run


def connect() -> Client:
    """Return a client of the service that is meant.

    Raises:
        GraftError: ``no_service`` or ``no_key``.
    """
    import os

    from gan_core.spec.errors import GraftError
    from graft.client import Client
    from graft.serving.data_dir import running_service

    asked = chosen()
    url, key_file = asked.url, asked.key_file
    folder = (asked.data_dir or default_data_dir()).expanduser().absolute()
    is_local = url is None
    if url is None:
        service = running_service(folder)
        if service is None:
            raise GraftError(
                "no_service",
                "No service runs on this machine's data directory.",
                "Start one with `graft serve`, or give an address with --url or GRAFT_URL.",
            )
        url = service.url
    return Client(url, key=_key(os.environ.get("GRAFT_API_KEY"), key_file, folder, is_local))


def _key(from_variable: str | None, key_file: Path | None, folder: Path, is_local: bool) -> str:
    from gan_core.spec.errors import GraftError

    if key_file is None and from_variable:
        return from_variable.strip()
    # The key of this machine's own service is not sent to any other.
    path = key_file or (folder / KEY_FILE if is_local else None)
    if path is None:
        raise GraftError(
            "no_key",
            "The service wants an API key.",
            "Set GRAFT_API_KEY, or give a file that holds it with --key-file.",
        )
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise GraftError(
            "no_key",
            f"The key in {str(path)!r} cannot be read: {error.strerror}.",
            "Set GRAFT_API_KEY, or give a file that holds it with --key-file.",
        ) from error
