"""Counting requests, together with all other processes of the API, in the broker's Redis.

Each limit is a moving window of a minute (library ``limits``): at no moment were there more
requests in the sixty seconds before it. When Redis is silent each process counts for itself, and
nobody waits for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

import structlog

T = TypeVar("T")

WINDOW_SECONDS = 60
_ANSWER_SECONDS = 0.25
_SILENCE_SECONDS = 10.0
_log = structlog.get_logger("api")


@dataclass(frozen=True)
class Policy:
    """So many requests a minute of one party.

    Attributes:
        name: As the headers call it: ``key``, ``workspace``, ``address``.
        party: Whose requests are counted.
        quota: Requests a minute.
    """

    name: str
    party: str
    quota: int


@dataclass(frozen=True)
class Standing:
    """What is left of a policy.

    Attributes:
        policy: The policy.
        left: Requests.
        seconds: Until the oldest request that was counted is a minute old, rounded up; for a policy
            of which nothing is left: until there is room for a request.
    """

    policy: Policy
    left: int
    seconds: int


class RequestCounter:
    """Counts requests. May be used from several threads."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._silent_until = 0.0
        self._is_silent = False

    def count(self, policies: Sequence[Policy]) -> Standing | None:
        """Count a request for each policy; return the first that it is too many for, else null.

        What is too many is not counted, or whoever asks without a pause would never be let in.
        """
        for policy in policies:
            if not self._ask(partial(_hit, policy)):
                return self.standing(policy)
        return None

    def standing(self, policy: Policy) -> Standing:
        """Return what is left of a policy, without counting anything."""
        reset, left = self._ask(
            lambda limiter: limiter.get_window_stats(_item(policy), policy.name, policy.party)
        )
        seconds = math.ceil(reset - time.time())
        return Standing(policy, max(0, left), min(WINDOW_SECONDS, max(1, seconds)))

    def close(self) -> None:
        """Close the connections."""
        pool = self.__dict__.get("_pool")
        if pool is not None:
            pool.disconnect()

    def _ask(self, question: Callable[[Any], T]) -> T:
        from redis.exceptions import RedisError

        if time.monotonic() >= self._silent_until:
            try:
                answer = question(self._shared)
            except (RedisError, OSError) as error:
                self._silent_until = time.monotonic() + _SILENCE_SECONDS
                if not self._is_silent:
                    self._is_silent = True
                    _log.warning("limits_not_shared", kind=type(error).__name__)
            else:
                if self._is_silent:
                    self._is_silent = False
                    _log.info("limits_shared_again")
                return answer
        return question(self._own)

    # Both loaded at the first request: celery, limits and redis take a third of a second.
    @cached_property
    def _pool(self) -> Any:
        from redis import ConnectionPool
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        return ConnectionPool.from_url(
            self._redis_url,
            socket_connect_timeout=_ANSWER_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    @cached_property
    def _shared(self) -> Any:
        from limits.storage import RedisStorage
        from limits.strategies import MovingWindowRateLimiter

        storage = RedisStorage("redis://", connection_pool=self._pool, key_prefix="graft-limits")
        return MovingWindowRateLimiter(storage)

    @cached_property
    def _own(self) -> Any:
        from limits.storage import MemoryStorage
        from limits.strategies import MovingWindowRateLimiter

        return MovingWindowRateLimiter(MemoryStorage())


def _hit(policy: Policy, limiter: Any) -> bool:
    return bool(limiter.hit(_item(policy), policy.name, policy.party))


def _item(policy: Policy) -> Any:
    from limits import RateLimitItemPerMinute

    return RateLimitItemPerMinute(policy.quota)
