"""What a version of the code asks of its database, recorded, and asked again of a later schema.

While a service is brought up to date, the old code runs on the new schema for a while, and when
the update is taken back, it must go on running there. So a migration must leave everything alone
that the code before it reads and writes. Nobody can know that by looking: the queries of every
version are therefore kept, and the tests run them on the schema that came after.

**At each release that brought a new version of the schema**, before its code is changed again:

    python -m pytest tests/migrations/test_old_code.py --record-statements

which plays ``whole_house.py`` on SQLite and on PostgreSQL (both must be there, or half of it is
skipped), and writes ``tests/migrations/recorded/REVISION-DIALECT.jsonl``, to be committed. A test
complains when a revision that is not the newest has no such files. New queries of the code belong
into ``whole_house.py``, else nobody hears when a migration breaks them.

A file has a line of JSON for each statement, in order: ``sql`` as it was handed to the driver (or
the number, counted from 0, of the earlier line that has the text), ``parameters`` (``many`` of
them for an executemany), and ``rows``: how many it returned, or changed. ``{"end": "commit"}``
and ``{"end": "rollback"}`` end a transaction. Two types have no JSON of their own:
``{"$datetime": ...}`` and ``{"$jsonb": ...}``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from psycopg.types.json import Jsonb
from revisions import engine_of
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import SQLAlchemyError


@dataclass(frozen=True)
class Statement:
    """``rows`` is what it returned, or else changed; null: not measured yet."""

    sql: str
    parameters: Any
    rows: int | None = None

    @property
    def is_many(self) -> bool:
        """Whether it is run once for each of its sets of parameters."""
        return isinstance(self.parameters, list)

    @property
    def is_read(self) -> bool:
        """Whether leaving it out changes nothing for the others: played alone, locks do nothing."""
        return self.sql.startswith("SELECT")


@dataclass(frozen=True)
class Transaction:
    """Statements that stand or fall together."""

    end: Literal["commit", "rollback"]
    statements: list[Statement]


class Incompatible(Exception):  # noqa: N818  # what it says of a schema
    """A schema refuses a statement of older code, or answers it otherwise."""

    def __init__(self, statement: Statement, why: str) -> None:
        super().__init__(f"{why}\n{statement.sql}\nwith {statement.parameters!r}")


@dataclass
class Recorder:
    """Notes what is done over an engine, from ``listen`` on."""

    transactions: list[Transaction] = field(default_factory=list)
    _open: list[Statement] | None = None

    def listen(self, engine: Engine) -> None:
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "before_cursor_execute", self._note)
        event.listen(engine, "commit", lambda _connection: self._end("commit"))
        event.listen(engine, "rollback", lambda _connection: self._end("rollback"))

    def _begin(self, _connection: Connection) -> None:
        # They are played one after the other, so they must have been made so.
        assert self._open is None, "two transactions at once cannot be recorded"
        self._open = []

    def _note(
        self, _connection: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, _many: bool
    ) -> None:
        if sql.startswith("BEGIN"):  # SQLite's, by store.database
            return
        assert self._open is not None, "a statement outside a transaction"
        # Whether it is an executemany is told by the type alone: SQLAlchemy says of one INSERT with
        # several rows, too, that there are many.
        is_many = isinstance(parameters, list) and isinstance(parameters[0], tuple | dict)
        self._open.append(
            Statement(
                sql, parameters if is_many or isinstance(parameters, dict) else tuple(parameters)
            )
        )

    def _end(self, how: Literal["commit", "rollback"]) -> None:
        if self._open:
            self.transactions.append(Transaction(how, self._open))
        self._open = None


def play(url: str, transactions: Sequence[Transaction]) -> list[Transaction]:
    """Run statements; return them with the numbers of rows that they had here.

    Raises:
        Incompatible: One was refused, or has another number of rows than it had.
    """
    with engine_of(url) as engine:
        return [_play_one(engine, transaction) for transaction in transactions]


def _play_one(engine: Engine, transaction: Transaction) -> Transaction:
    measured = []
    with engine.connect() as connection, connection.begin() as ours:
        for statement in transaction.statements:
            try:
                result = connection.exec_driver_sql(statement.sql, statement.parameters)
                rows = len(result.fetchall()) if result.returns_rows else result.rowcount
            except SQLAlchemyError as error:
                raise Incompatible(statement, f"refused: {getattr(error, 'orig', error)}") from None
            if statement.rows not in {None, rows}:
                raise Incompatible(statement, f"{rows} rows and not {statement.rows}")
            measured.append(replace(statement, rows=rows))
        if transaction.end == "commit":
            ours.commit()
        else:
            ours.rollback()
    return replace(transaction, statements=measured)


def without_repeats(transactions: Sequence[Transaction]) -> list[Transaction]:
    """Leave out reads of which there was one already with the same text and as many rows."""
    seen: set[tuple[str, int]] = set()

    def is_new(statement: Statement) -> bool:
        if not statement.is_read:
            return True
        kind = (statement.sql, min(statement.rows or 0, 2))  # none, one, several
        is_first = kind not in seen
        seen.add(kind)
        return is_first

    kept = [replace(t, statements=[s for s in t.statements if is_new(s)]) for t in transactions]
    return [transaction for transaction in kept if transaction.statements]


def save(path: Path, transactions: Sequence[Transaction]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in _lines(transactions)), encoding="utf-8")


def _lines(transactions: Sequence[Transaction]) -> Iterator[str]:
    first: dict[str, int] = {}
    number = 0
    for transaction in transactions:
        for statement in transaction.statements:
            line = {
                "sql": first.get(statement.sql, statement.sql),
                "many" if statement.is_many else "parameters": _plain(statement.parameters),
                "rows": statement.rows,
            }
            first.setdefault(statement.sql, number)
            yield json.dumps(line, ensure_ascii=False)
            number += 1
        yield json.dumps({"end": transaction.end})
        number += 1


def load(path: Path) -> list[Transaction]:
    transactions: list[Transaction] = []
    statements: list[Statement] = []
    texts: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        read = json.loads(line)
        sql = read.get("sql", "")
        texts.append(texts[sql] if isinstance(sql, int) else sql)
        if "end" in read:
            transactions.append(Transaction(read["end"], statements))
            statements = []
            continue
        many = read.get("many")
        given = read["parameters"] if many is None else many
        parameters = [_typed(one) for one in given] if many is not None else _typed(given)
        statements.append(Statement(texts[-1], parameters, read["rows"]))
    return transactions


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return {"$datetime": value.isoformat()}
        case Jsonb():
            return {"$jsonb": value.obj}
        case list() | tuple():
            return [_plain(one) for one in value]
        case dict():
            return {name: _plain(one) for name, one in value.items()}
        case None | bool() | int() | float() | str():
            return value
    raise TypeError(f"{type(value).__name__} cannot be recorded")


def _typed(value: Any) -> Any:
    """The opposite of ``_plain`` for one set of parameters."""
    match value:
        case {"$datetime": str(moment)}:
            return datetime.fromisoformat(moment)
        case {"$jsonb": content}:
            return Jsonb(content)
        case list():
            return tuple(_typed(one) for one in value)
        case dict():
            return {name: _typed(one) for name, one in value.items()}
    return value
