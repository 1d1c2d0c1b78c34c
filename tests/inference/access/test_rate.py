"""The token bucket against its definition, under a clock that the test moves; and how many buckets there are."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.access.rate import Limiter
from inference.settings import Rate

SECOND = 1_000_000_000
RATES = st.builds(Rate, st.integers(1, 2000), st.sampled_from([1, 60, 3600]), st.integers(1, 50))
WAITS = st.lists(
    st.one_of(st.just(0), st.integers(0, 20 * SECOND), st.integers(0, 4000 * SECOND)), min_size=1, max_size=60
)


class Nanoseconds:
    def __init__(self) -> None:
        self.now = 5 * SECOND

    def __call__(self) -> int:
        return self.now


class Bucket:
    """The definition: `burst` tokens at most, a new one every `step`, one for each request."""

    def __init__(self, rate: Rate) -> None:
        self.burst = rate.burst
        self.step = Fraction(-(-rate.seconds * SECOND // rate.requests))  # the whole nanosecond above
        self.tokens, self.at = Fraction(rate.burst), 0

    def take(self, now: int) -> bool:
        self.tokens = min(Fraction(self.burst), self.tokens + (now - self.at) / self.step)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def seconds_to_next(self) -> int:
        return math.ceil((1 - self.tokens) * self.step / SECOND)


@settings(deadline=None)
@given(rate=RATES, waits=WAITS)
def test_it_is_the_token_bucket_and_says_so(rate: Rate, waits: list[int]) -> None:
    clock, bucket = Nanoseconds(), Bucket(rate)
    limiter = Limiter(rate, clock=clock)
    for wait in waits:
        clock.now += wait
        expected, turn = bucket.take(clock.now), limiter.take("a")
        assert turn.allowed == expected
        assert turn.remaining == math.floor(bucket.tokens)
        if turn.remaining:
            assert turn.seconds == math.ceil(turn.remaining * bucket.step / SECOND)
        else:
            assert turn.seconds == bucket.seconds_to_next() >= 1


@settings(deadline=None)
@given(rate=RATES, waits=WAITS)
def test_no_stretch_of_time_lets_more_through_than_burst_and_rate(rate: Rate, waits: list[int]) -> None:
    clock = Nanoseconds()
    limiter, passed = Limiter(rate, clock=clock), []
    for wait in waits:
        clock.now += wait
        if limiter.take("a").allowed:
            passed.append(clock.now)
    for i, first in enumerate(passed):
        for j in range(i, len(passed)):
            most = rate.burst + Fraction((passed[j] - first) * rate.requests, rate.seconds * SECOND)
            assert j - i + 1 <= most


@settings(deadline=None)
@given(rate=RATES, waits=WAITS)
def test_who_waits_as_long_as_he_is_told_gets_in(rate: Rate, waits: list[int]) -> None:
    clock = Nanoseconds()
    limiter = Limiter(rate, clock=clock)
    for wait in waits:
        clock.now += wait
        turn = limiter.take("a")
        if not turn.allowed:
            clock.now += turn.seconds * SECOND
            assert limiter.take("a").allowed


@settings(deadline=None)
@given(rate=RATES, asks=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2 * SECOND)), max_size=60))
def test_clients_do_not_share(rate: Rate, asks: list[tuple[int, int]]) -> None:
    clock = Nanoseconds()
    limiter, buckets = Limiter(rate, clock=clock), [Bucket(rate) for _ in range(4)]
    for client, wait in asks:
        clock.now += wait
        assert limiter.take(f"client {client}").allowed == buckets[client].take(clock.now)


def test_a_flood_of_addresses_keeps_only_so_many_buckets() -> None:
    limiter = Limiter(Rate(10, 1, 10), most=100, clock=Nanoseconds())
    for number in range(10_000):
        assert limiter.take(f"address {number}").allowed
        assert limiter.buckets <= 100


def test_a_bucket_that_is_in_use_outlives_a_flood_of_others() -> None:
    limiter = Limiter(Rate(1, 3600, 3), most=100, clock=Nanoseconds())
    taken = [limiter.take("busy").allowed for _ in range(3)]
    for number in range(1000):
        limiter.take(f"address {number}")
        if number % 50 == 0:
            taken.append(limiter.take("busy").allowed)
    assert taken == [True] * 3 + [False] * 20


def test_buckets_that_are_full_again_are_forgotten() -> None:
    clock = Nanoseconds()
    limiter = Limiter(Rate(10, 1, 10), clock=clock)
    for number in range(1000):
        limiter.take(f"address {number}")
    clock.now += SECOND
    for number in range(600):
        limiter.take(f"newcomer {number}")
    assert limiter.buckets == 600


@pytest.mark.parametrize(("requests", "seconds"), [(1, 3600), (3, 1), (7, 60), (9_999_999, 1)])
def test_the_steady_rate_is_reached(requests: int, seconds: int) -> None:
    """Rounding costs less than a request in the time that the limit names."""
    clock = Nanoseconds()
    limiter = Limiter(Rate(requests, seconds, 1), clock=clock)
    steps = min(requests, 1000)
    passed = 0
    for number in range(steps):
        clock.now = 5 * SECOND + -(-number * (seconds * SECOND + requests) // requests)
        passed += limiter.take("a").allowed
    assert passed == steps
