"""Samples beside a contract's own stream: which count, what they confirm, and when an own stream is dead."""

from __future__ import annotations

import itertools

import pytest

from source_binance_futures.binance.market_stream.samples import Dead, Samples

SECOND = 1_000_000
BEGAN = 1_000 * SECOND
BTC = "BTCUSD_PERP"


def sample(samples: Samples, update_id: int, at: float, *, feed: int = 0, line: int = 0, symbol: str = BTC) -> bool:
    """One that came so many seconds after the beginning."""
    return samples.sample(symbol, update_id, moment(at), feed=feed, line=line)


def own(samples: Samples, update_id: int, at: float, symbol: str = BTC, *, earliest: float | None = None) -> bool:
    """One that was pushed so many seconds after the beginning, or from `earliest` on."""
    return samples.own(symbol, update_id, moment(at if earliest is None else earliest), moment(at))


def moment(seconds: float) -> int:
    return BEGAN + round(seconds * SECOND)


def dead(samples: Samples, at: float, *, ahead: float = 0.0, at_end: bool = False) -> list[Dead]:
    """What is overdue at this moment, where the exchange's clock is so many seconds ahead of ours."""
    if at_end:
        return samples.dead(moment(at), moment(at + ahead), at_end=True)
    return samples.dead(moment(at), moment(at + ahead))


def counts(samples: Samples) -> tuple[int, int]:
    return samples.compared, samples.confirmed


def settled() -> Samples:
    """A contract whose own stream has spoken, and whose samples have shown id 100 since three seconds."""
    samples = Samples()
    own(samples, 100, 0)
    sample(samples, 90, 0)
    sample(samples, 100, 3)
    return samples


def test_samples_count_until_the_own_stream_has_spoken() -> None:
    samples = Samples()
    assert sample(samples, 1, 0)
    assert sample(samples, 2, 1)
    own(samples, 3, 2)
    assert sample(samples, 4, 3) is False
    assert sample(samples, 4, 3, symbol="ETHUSD_PERP"), "each contract by itself"
    own(samples, 3, 2, symbol="BNBUSD_PERP")
    assert not sample(samples, 4, 3, symbol="BNBUSD_PERP")


def test_a_sample_of_what_the_own_stream_brought_confirms_it() -> None:
    samples = settled()
    own(samples, 105, 4)
    sample(samples, 105, 5)
    assert counts(samples) == (1, 1)
    sample(samples, 105, 6)
    assert counts(samples) == (1, 1), "shown again, it tells nothing new"
    own(samples, 110, 7)
    sample(samples, 107, 8)
    assert counts(samples) == (2, 1), "107 was passed over"
    assert dead(samples, 100) == []


def test_what_is_older_than_all_that_is_remembered_is_not_judged() -> None:
    samples = Samples()
    sample(samples, 1, 0)
    sample(samples, 2, 3)
    own(samples, 100, 4)
    sample(samples, 50, 5)
    assert counts(samples) == (0, 0)
    sample(samples, 100, 6)
    assert counts(samples) == (1, 1), "the oldest that is remembered"


def test_a_thousand_ids_are_remembered() -> None:
    samples = settled()
    for update_id in range(101, 101 + 1024):
        own(samples, update_id, 4)
    sample(samples, 101, 5)
    assert counts(samples) == (1, 1)
    samples = settled()
    for update_id in range(101, 101 + 1025):
        own(samples, update_id, 4)
    sample(samples, 101, 5)
    assert counts(samples) == (0, 0)


@pytest.mark.parametrize(("comes", "expected"), [(105, (1, 1)), (106, (1, 0))])
def test_a_sample_that_runs_ahead_waits_for_the_own_stream(comes: int, expected: tuple[int, int]) -> None:
    samples = settled()
    sample(samples, 105, 4)
    assert counts(samples) == (0, 0)
    own(samples, 104, 4.1)
    assert counts(samples) == (0, 0)
    own(samples, comes, 4.2)
    assert counts(samples) == expected
    assert dead(samples, 100) == []


def test_the_first_sample_that_runs_ahead_is_the_one_that_is_waited_for() -> None:
    samples = settled()
    sample(samples, 105, 4)
    sample(samples, 110, 5)
    own(samples, 105, 5.5)
    assert counts(samples) == (1, 1)
    assert dead(samples, 100) == []


def test_an_own_stream_that_is_overdue_is_dead() -> None:
    samples = settled()
    sample(samples, 105, 4, feed=3)
    assert dead(samples, 5.999999) == []
    assert dead(samples, 6) == [Dead(BTC, 3, 0, moment(0), moment(6))]
    assert counts(samples) == (1, 0)
    assert dead(samples, 7) == [], "told once"


def test_one_that_never_spoke_is_dead_since_the_samples_began() -> None:
    samples = Samples()
    sample(samples, 90, 1)
    sample(samples, 100, 4)
    sample(samples, 101, 5)
    assert dead(samples, 7) == [Dead(BTC, 0, 0, moment(1), moment(7))]


def test_one_that_is_dead_is_told_again_after_ever_longer_rests() -> None:
    samples = settled()
    told = []
    at = 4.0
    for number in range(2000):
        sample(samples, 105 + number, at)
        told += dead(samples, at + 2)
        at += 2
    since = [each.until_us / SECOND for each in told]
    rests = [later - earlier for earlier, later in itertools.pairwise(since)]
    assert rests[:7] == [30, 60, 120, 240, 480, 900, 900]
    assert samples.compared == 2000, "counted each time"


def test_the_first_rest_is_half_a_minute_and_the_longest_a_quarter_of_an_hour() -> None:
    samples = settled()
    ids = itertools.count(105)

    def alarm(at: float) -> bool:
        sample(samples, next(ids), at - 2)
        return bool(dead(samples, at))

    moments = (6, 36 - 1e-6, 36, 96, 216, 456, 936, 1836 - 1e-6, 1836)
    assert [alarm(at) for at in moments] == [True, False, True, True, True, True, True, False, True]


def test_the_smallest_update_id_is_one() -> None:
    samples = Samples()
    own(samples, 1, 0)
    assert not sample(samples, 1, 1)


@pytest.mark.parametrize("line", [0, 1])
def test_the_first_line_is_a_fresh_one_too(line: int) -> None:
    samples = Samples()
    own(samples, 100, 0)
    sample(samples, 101, 1, line=line)
    sample(samples, 102, 2, line=line)
    assert dead(samples, 100) == []


def test_one_that_comes_back_has_its_rests_from_the_first_again() -> None:
    samples = settled()
    for number in range(40):
        sample(samples, 105 + number, 4 + 2 * number)
        dead(samples, 6 + 2 * number)
    sample(samples, 150, 200)
    own(samples, 150, 201)
    moments = []
    for number in range(200):
        sample(samples, 160 + number, 210 + 2 * number)
        moments += [each.until_us // SECOND - 1000 for each in dead(samples, 212 + 2 * number) if each.is_news]
    assert moments[:3] == [212, 242, 302]


def test_a_duplicate_of_the_own_stream_is_no_news() -> None:
    samples = settled()
    sample(samples, 105, 4)
    own(samples, 100, 5)
    assert dead(samples, 6) == [Dead(BTC, 0, 0, moment(0), moment(6))], "since the newest that was new"


def test_what_a_fresh_line_shows_at_first_may_be_old() -> None:
    """Three seconds are for its own streams to come; and the first sample after that is only where it begins."""
    samples = settled()
    own(samples, 200, 10)
    sample(samples, 201, 20, line=1)
    sample(samples, 202, 22.999999, line=1)
    assert dead(samples, 100) == []
    sample(samples, 203, 23, line=1)
    assert dead(samples, 100) == []
    sample(samples, 204, 24, line=1)
    assert dead(samples, 26) == [Dead(BTC, 0, 1, moment(10), moment(26))]
    assert counts(samples) == (1, 0)


def test_a_sample_that_goes_back_says_nothing() -> None:
    samples = settled()
    own(samples, 105, 4)
    sample(samples, 99, 5)
    assert counts(samples) == (0, 0)
    sample(samples, 105, 6)
    assert counts(samples) == (1, 1)


def test_of_several_only_the_overdue_are_dead() -> None:
    samples = Samples()
    for symbol in ("A", "B", "C"):
        own(samples, 100, 0, symbol)
        sample(samples, 90, 0, symbol=symbol)
        sample(samples, 100, 3, symbol=symbol)
    for symbol, at in (("A", 5), ("B", 4), ("C", 4)):
        sample(samples, 105, at, symbol=symbol)
    assert [each.symbol for each in dead(samples, 6.5)] == ["B", "C"]
    assert [each.symbol for each in dead(samples, 7)] == ["A"]


def resting() -> Samples:
    """An own stream that was dead until second 7, told at 6, and is dead again at 16, within its rest."""
    samples = settled()
    sample(samples, 105, 4)
    assert [each.is_news for each in dead(samples, 6)] == [True]
    assert own(samples, 110, 7), "it passed over 105"
    assert dead(samples, 8) == [Dead(BTC, 0, 0, moment(6), moment(7), is_news=False)], "what was told goes on until 7"
    assert not own(samples, 120, 10)
    sample(samples, 125, 12)
    sample(samples, 130, 14)
    assert dead(samples, 16) == []
    return samples


def test_what_an_own_stream_lacks_in_its_rest_is_told_once_it_speaks_again() -> None:
    samples = resting()
    assert own(samples, 126, 18)
    assert dead(samples, 19) == [Dead(BTC, 0, 0, moment(10), moment(18), is_news=False)]
    assert not own(samples, 140, 20)
    assert dead(samples, 100) == []


def test_one_that_only_came_late_in_its_rest_lacks_nothing() -> None:
    samples = resting()
    assert not own(samples, 125, 18)
    assert not own(samples, 140, 20)
    assert dead(samples, 100) == []


def test_what_it_lacks_at_the_end_is_told_then() -> None:
    samples = resting()
    assert dead(samples, 19, at_end=True) == [Dead(BTC, 0, 0, moment(10), moment(16), is_news=False)]
    assert dead(samples, 19, at_end=True) == []


def test_what_is_told_already_or_has_no_length_is_no_lack() -> None:
    samples = settled()
    sample(samples, 105, 4)
    assert len(dead(samples, 10)) == 1
    assert dead(samples, 11, at_end=True) == []
    samples = settled()
    sample(samples, 105, 4)
    assert len(dead(samples, 10)) == 1
    assert own(samples, 110, 10)
    assert dead(samples, 11) == []


def test_what_it_lacks_for_less_than_a_sentence_can_show_is_told_as_two_milliseconds() -> None:
    samples = settled()
    sample(samples, 105, 4)
    assert len(dead(samples, 10)) == 1
    assert own(samples, 110, 10.0001)
    assert dead(samples, 11) == [Dead(BTC, 0, 0, moment(10), moment(10.002), is_news=False)]
    samples = settled()
    sample(samples, 105, 4)
    assert len(dead(samples, 10)) == 1
    assert own(samples, 110, 10.003)
    assert dead(samples, 11) == [Dead(BTC, 0, 0, moment(10), moment(10.003), is_news=False)]


@pytest.mark.parametrize("line", [0, 1])
def test_where_a_connection_is_lost_its_samples_begin_anew(line: int) -> None:
    samples = Samples()
    own(samples, 100, 0)
    for at, update_id in [(0, 90), (3, 100), (4, 105)]:
        sample(samples, update_id, at, line=line)
    samples.forget([BTC, "UNHEARD_OF"])
    assert dead(samples, 10) == []
    sample(samples, 110, 11, line=line)
    sample(samples, 111, 13, line=line)
    assert dead(samples, 20) == [], "what a fresh line shows at first may be old"


def test_what_no_sample_shows_is_not_missing() -> None:
    """A sample comes every five seconds: an hour without another is an hour without a change."""
    samples = settled()
    sample(samples, 105, 4)
    dead(samples, 6)
    assert own(samples, 110, 3600)
    assert dead(samples, 3601) == [Dead(BTC, 0, 0, moment(6), moment(16), is_news=False)]


def test_what_was_told_is_not_told_again_and_a_backlog_reaches_back_before_it() -> None:
    samples = settled()
    told = []
    for number in range(100):
        sample(samples, 105 + number, 4 + 2 * number)
        told += dead(samples, 6 + 2 * number)
    assert [later.since_us for later in told[1:]] == [each.until_us for each in told[:-1]]
    samples = settled()
    sample(samples, 105, 4)
    dead(samples, 6)
    assert own(samples, 110, 5.5)
    assert dead(samples, 7) == []


def test_what_is_missing_is_told_by_the_exchanges_clock_from_the_push_of_the_newest_on() -> None:
    """A busy machine receives an update long after its push, and those that follow may have been pushed before that."""
    samples = settled()
    own(samples, 104, 64, earliest=63.2)
    sample(samples, 105, 5)
    assert dead(samples, 7, ahead=60) == [Dead(BTC, 0, 0, moment(63.2), moment(67))]
    own(samples, 110, 68, earliest=67.5)
    assert dead(samples, 8.5, ahead=60) == [Dead(BTC, 0, 0, moment(67), moment(68), is_news=False)]
    sample(samples, 111, 10)
    sample(samples, 112, 11)
    assert dead(samples, 12, ahead=60) == []
    assert dead(samples, 15, ahead=61, at_end=True) == [Dead(BTC, 0, 0, moment(67.5), moment(72), is_news=False)]


def test_an_own_stream_that_never_spoke_lacks_everything_since_the_first_sample() -> None:
    samples = Samples()
    for update_id, at in ((1, 1), (2, 4), (3, 5)):
        sample(samples, update_id, at)
    assert dead(samples, 7, ahead=-60) == [Dead(BTC, 0, 0, moment(-59), moment(-53))]


def test_a_gap_has_a_length_whatever_the_clocks_say() -> None:
    samples = settled()
    sample(samples, 105, 5)
    assert dead(samples, 7, ahead=-60) == [Dead(BTC, 0, 0, moment(0), moment(0.002))]
    assert own(samples, 106, 0.5)
    assert dead(samples, 8) == [Dead(BTC, 0, 0, moment(0.002), moment(0.5), is_news=False)]
