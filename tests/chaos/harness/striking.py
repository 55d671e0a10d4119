"""What a fault is, and what the faults look at."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.house import House
from harness.ledger import Held

_WAIT_FOR_WORK = 15.0


def _nothing() -> None:
    return


@dataclass
class Struck:
    """A fault that has struck.

    Attributes:
        what: Whom it struck, in a few words.
        is_recovered: Asked until it says yes.
        lift: Ends a lasting fault.
        lasts: Seconds until then; 0: it is over at once.
        counts_from_lift: Whether the recovery can begin only then.
    """

    what: str
    is_recovered: Callable[[], bool]
    lift: Callable[[], None] = _nothing
    lasts: float = 0.0
    counts_from_lift: bool = False


@dataclass(frozen=True)
class Fault:
    """A way to hurt a house.

    Attributes:
        name: As the table shows it.
        strike: Does it; None when there was nothing to strike.
        why_not: Says why it cannot be done in this house; None when it can.
        lasts: Whether it has to be lifted.
    """

    name: str
    strike: Callable[[House, random.Random], Struck | None]
    why_not: Callable[[House], str | None] = lambda _house: None
    lasts: bool = False


def some_held(house: House, chance: random.Random) -> Held | None:
    """Return a step at work, waiting a little for one."""
    until = time.monotonic() + _WAIT_FOR_WORK
    while time.monotonic() < until:
        held = [step for step in house.ledger.held() if house.worker_of(step.worker_id)]
        if held:
            return chance.choice(held)
        time.sleep(0.1)
    return None


def goes_on(house: House, held: Held) -> Callable[[], bool]:
    """Return the question whether a step is at work again under another lease, or over."""

    def question() -> bool:
        found = house.ledger.step(held.id)
        if found is None:
            return False
        status, token = found
        is_over = status in {"succeeded", "failed", "cancelled"}
        return is_over or (status == "running" and token != held.token)

    return question


def finishes(house: House) -> Callable[[], bool]:
    """Return the question whether, from now on, a step has succeeded, or nothing is left to do."""
    done = house.ledger.done()
    return lambda: house.ledger.done() > done >= 0 or house.ledger.unfinished_jobs() == 0


def works(house: House) -> Callable[[], bool]:
    """Return the question whether, from now on, anything has come forward at the workers.

    That is a step claimed, a lease renewed or a step done; or that nothing is left to do.
    """
    before = {(step.token, step.mark) for step in house.ledger.held()}
    tokens = {token for token, _ in before}
    done = house.ledger.done()

    def question() -> bool:
        now = house.ledger.held()
        if any((step.token, step.mark) not in before for step in now if step.token in tokens):
            return True
        if any(step.token not in tokens for step in now) or house.ledger.done() > done >= 0:
            return True
        return house.ledger.unfinished_jobs() == 0

    return question


def rings(house: House) -> Callable[[], bool]:
    """Return the question whether the doorbell is heard again.

    The API must call the broker alive, and a step that waits now must have been taken since; or
    any step, when none waits.
    """
    waiting = house.ledger.queued()
    tokens = {step.token for step in house.ledger.held()}
    done = house.ledger.done()

    def question() -> bool:
        if not house.is_ready():
            return False
        if house.ledger.unfinished_jobs() == 0:
            return True
        if waiting:
            left = house.ledger.try_rows("SELECT id FROM steps WHERE status = 'queued'")
            return left is not None and not waiting <= {row[0] for row in left}
        now = house.ledger.held()
        return any(step.token not in tokens for step in now) or house.ledger.done() > done >= 0

    return question


def both(*questions: Callable[[], bool]) -> Callable[[], bool]:
    """Return the question whether all are answered with yes."""
    return lambda: all(question() for question in questions)
