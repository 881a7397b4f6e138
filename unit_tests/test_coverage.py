"""Since when nothing is missing; samples beside own streams: which count, what they confirm, when one is overdue."""

from __future__ import annotations

import itertools

import pytest

from source_binance_futures.binance.market_stream.coverage import Alarm, Coverage, Lost, Samples


def read(coverage: Coverage, at: int, *symbols: str, feed: int = 0) -> list[int | None]:
    """One read with an update of each symbol: since when each is covered."""
    found = [coverage.since.get(symbol) or coverage.begin(symbol, feed, at) for symbol in symbols]
    coverage.rows_of(feed, at)
    return found


def test_an_interval_begins_with_the_first_update_and_stays() -> None:
    coverage = Coverage()
    assert read(coverage, 1000, "A") == [1000]
    assert read(coverage, 2000, "A", "B") == [1000, 2000]
    assert coverage.intervals == {"A": 1, "B": 1}


def test_a_reset_of_a_feed_is_one_of_its_contracts_and_of_no_other() -> None:
    coverage = Coverage()
    read(coverage, 1000, "A", "B")
    read(coverage, 9000, "C", feed=1)
    coverage.reset_feed(0)
    coverage.reset_feed(7)
    assert coverage.followed_over(0) == frozenset()
    assert coverage.followed_over(1) == {"C"}
    assert read(coverage, 2000, "A") == [2000], "older than the newest read of another feed"
    assert read(coverage, 9500, "C", feed=1) == [9000]
    assert coverage.followed_over(0) == {"A"}


@pytest.mark.parametrize("at", [199, 200])
def test_no_interval_begins_where_rows_were_written_already(at: int) -> None:
    """By the line before, by another read of it, by a sync before: it would touch the interval that they belong to."""
    coverage = Coverage(rows_until_us=200)
    assert read(coverage, at, "A") == [None]
    coverage = Coverage()
    read(coverage, 100, "A", "B")
    read(coverage, 200, "A")
    coverage.reset(["A", "NEVERSEEN"])
    assert read(coverage, at, "A", "B") == [None, 100]
    coverage.reset_feed(0)
    assert read(coverage, at, "A", "B") == [None, None], "the newest read of the feed counts"
    assert read(coverage, 201, "A", "B") == [201, 201]
    coverage.rows_of(0, 150)  # a standby's
    coverage.reset_feed(0)
    assert read(coverage, 201, "A") == [None]


def test_what_a_standby_had_read_before_an_interval_began_is_not_covered() -> None:
    coverage = Coverage()
    read(coverage, 500, "A")
    assert not coverage.is_older(0, 500)
    assert coverage.is_older(0, 499)
    assert not coverage.is_older(1, 499)
    assert [coverage.begin("A", 0, at) for at in (499, 500, 501)] == [None, 500, 500]
    assert coverage.intervals.total() == 1


def test_an_update_of_a_read_that_may_lack_something_ends_the_interval() -> None:
    coverage = Coverage()
    read(coverage, 100, "A", "B")
    coverage.interrupt("A", 0, 200)
    coverage.rows_of(0, 200)
    assert coverage.since == {"B": 100}
    assert read(coverage, 300, "A") == [300]


SECOND = 1_000_000
BEGAN = 1_000 * SECOND
BTC = "BTCUSD_PERP"


LACKS = f"the own stream of {BTC} has not brought what the all-market stream shows"
UNPROVEN = "the connection that took over may have missed early updates of it"


def sample(samples: Samples, update_id: int, at: float, *, feed: int = 0, line: int = 0, symbol: str = BTC) -> bool:
    """One that came so many seconds after the beginning, and shows what was newest then."""
    return samples.sample(symbol, update_id, moment(at), moment(at), feed=feed, line=line)


def own(samples: Samples, update_id: int, at: float, symbol: str = BTC, *, earliest: float | None = None) -> bool:
    """One that was pushed so many seconds after the beginning, or from `earliest` on."""
    return samples.own(symbol, update_id, moment(at if earliest is None else earliest), moment(at))


def moment(seconds: float) -> int:
    return BEGAN + round(seconds * SECOND)


def overdue(samples: Samples, at: float, *, at_end: bool = False) -> list[Alarm | Lost]:
    return samples.overdue(moment(at), moment(at), at_end=at_end)


def lost(since: float, until: float, cause: str = LACKS) -> Lost:
    return Lost(BTC, moment(since), moment(until), cause)


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
    assert overdue(samples, 100) == []


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
    assert overdue(samples, 100) == []


def test_the_first_sample_that_runs_ahead_is_the_one_that_is_waited_for() -> None:
    samples = settled()
    sample(samples, 105, 4)
    sample(samples, 110, 5)
    own(samples, 105, 5.5)
    assert counts(samples) == (1, 1)
    assert overdue(samples, 100) == []


def test_an_own_stream_that_is_overdue_raises_an_alarm() -> None:
    samples = settled()
    sample(samples, 105, 4, feed=3)
    assert overdue(samples, 5.999999) == []
    assert overdue(samples, 6) == [Alarm(BTC, 3, 0)]
    assert Alarm(BTC, 3, 0).reason == LACKS
    assert counts(samples) == (1, 0)
    assert overdue(samples, 7) == [], "once"


def test_one_that_never_spoke_may_lack_what_was_pushed_since_the_samples_began() -> None:
    samples = Samples()
    sample(samples, 90, 1)
    sample(samples, 100, 4)
    sample(samples, 101, 5)
    assert overdue(samples, 7, at_end=True) == [Alarm(BTC, 0, 0), lost(1, 7)]


def test_one_that_stays_dead_is_reported_with_each_further_alarm_after_ever_longer_rests() -> None:
    samples = settled()
    found = []
    for number in range(2000):
        sample(samples, 105 + number, 4 + 2 * number)
        found += overdue(samples, 6 + 2 * number)
    gaps = [each for each in found if isinstance(each, Lost)]
    assert [isinstance(each, Alarm) for each in found] == [True] + [True, False] * len(gaps)
    assert (gaps[0].since_us, gaps[0].until_us) == (moment(0), moment(36))
    assert all(later.since_us == gap.until_us for gap, later in itertools.pairwise(gaps)), "each moment once"
    lengths = [(gap.until_us - gap.since_us) // SECOND for gap in gaps]
    assert lengths[1:7] == [60, 120, 240, 480, 900, 900]
    assert samples.compared == 2000, "counted each time"


def test_the_first_rest_is_half_a_minute_and_the_longest_a_quarter_of_an_hour() -> None:
    samples = settled()
    ids = itertools.count(105)

    def alarm(at: float) -> bool:
        sample(samples, next(ids), at - 2)
        return bool(overdue(samples, at))

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
    assert overdue(samples, 100) == []


def test_one_that_comes_back_has_its_rests_from_the_first_again() -> None:
    samples = settled()
    for number in range(40):
        sample(samples, 105 + number, 4 + 2 * number)
        overdue(samples, 6 + 2 * number)
    sample(samples, 150, 200)
    own(samples, 150, 201)
    moments = []
    for number in range(200):
        sample(samples, 160 + number, 210 + 2 * number)
        moments += [212 + 2 * number] * any(isinstance(each, Alarm) for each in overdue(samples, 212 + 2 * number))
    assert moments[:3] == [212, 242, 302]


def test_a_duplicate_of_the_own_stream_is_no_news() -> None:
    samples = settled()
    sample(samples, 105, 4)
    own(samples, 100, 5)
    overdue(samples, 6)
    assert not own(samples, 100, 7)
    assert overdue(samples, 8, at_end=True) == [lost(0, 6)], "since the newest that was new"


def test_what_a_fresh_line_shows_at_first_may_be_old() -> None:
    """Three seconds are for its own streams to come; and the first sample after that is only where it begins."""
    samples = settled()
    own(samples, 200, 10)
    sample(samples, 201, 20, line=1)
    sample(samples, 202, 22.999999, line=1)
    assert overdue(samples, 100) == []
    sample(samples, 203, 23, line=1)
    assert overdue(samples, 100) == []
    sample(samples, 204, 24, line=1)
    assert overdue(samples, 26) == [Alarm(BTC, 0, 1)]
    assert counts(samples) == (1, 0)


def test_of_several_only_the_overdue_are_dead() -> None:
    samples = Samples()
    for symbol in ("A", "B", "C"):
        own(samples, 100, 0, symbol)
        sample(samples, 90, 0, symbol=symbol)
        sample(samples, 100, 3, symbol=symbol)
    for symbol, at in (("A", 5), ("B", 4), ("C", 4)):
        sample(samples, 105, at, symbol=symbol)
    assert [each.symbol for each in overdue(samples, 6.5)] == ["B", "C"]
    assert [each.symbol for each in overdue(samples, 7)] == ["A"]


def alarmed() -> Samples:
    """An own stream whose newest update, 100, was pushed at 0; 105 was shown at 4, and an alarm raised at 6."""
    samples = settled()
    sample(samples, 105, 4)
    assert overdue(samples, 6) == [Alarm(BTC, 0, 0)]
    return samples


def test_what_an_own_stream_has_passed_over_is_lost_between_the_updates_around_it() -> None:
    samples = alarmed()
    assert own(samples, 110, 7), "it passed over 105"
    assert overdue(samples, 8) == [lost(0, 7)]
    assert not own(samples, 120, 10)
    assert overdue(samples, 100, at_end=True) == []


@pytest.mark.parametrize("first", [101, 105])
def test_one_that_was_only_late_has_lost_nothing(first: int) -> None:
    samples = alarmed()
    assert not own(samples, first, 18)
    assert not own(samples, 140, 20)
    assert overdue(samples, 100, at_end=True) == []


def test_in_a_rest_the_next_update_tells_too() -> None:
    samples = alarmed()
    assert own(samples, 110, 7)
    assert not own(samples, 120, 10)
    overdue(samples, 11)
    sample(samples, 125, 12)
    sample(samples, 130, 14)
    assert overdue(samples, 16) == [], "it rests"
    assert own(samples, 126, 18)
    assert overdue(samples, 19) == [lost(10, 18)]


def test_what_it_lacks_at_the_end_is_reported_then_once() -> None:
    samples = alarmed()
    assert overdue(samples, 19, at_end=True) == [lost(0, 6)]
    assert overdue(samples, 19, at_end=True) == []


def test_one_that_speaks_again_after_it_was_reported_is_covered_from_there_on() -> None:
    samples = alarmed()
    sample(samples, 106, 34)
    assert overdue(samples, 36) == [Alarm(BTC, 0, 0), lost(0, 36)]
    assert own(samples, 105, 37), "late, but reported as missing already"
    assert not own(samples, 106, 38)
    samples = alarmed()
    sample(samples, 106, 34)
    overdue(samples, 36)
    assert own(samples, 110, 37)
    assert overdue(samples, 38) == [lost(36, 37)], "what was reported goes on until it speaks"


@pytest.mark.parametrize(("at", "until"), [(0.0001, 0.002), (0.003, 0.003)])
def test_a_gap_is_as_long_as_a_sentence_can_show(at: float, until: float) -> None:
    samples = alarmed()
    assert own(samples, 110, at)
    assert overdue(samples, 11) == [lost(0, until)]


# --- another connection goes on ---


def taken_over(covers_from: float = 5) -> Samples:
    """100 was pushed at 0, and what goes on at 7 has heard everything since `covers_from`."""
    samples = settled()
    samples.recheck([BTC, "UNHEARD_OF"], moment(covers_from), moment(7))
    return samples


def test_one_that_brings_the_newest_update_too_has_missed_nothing() -> None:
    samples = taken_over()
    assert not own(samples, 99, 7)
    assert not own(samples, 100, 7)
    assert not own(samples, 110, 8)
    assert overdue(samples, 9, at_end=True) == []


def test_a_sample_that_shows_no_newer_update_proves_it_too_once_the_line_is_no_fresh_one() -> None:
    samples = taken_over()
    sample(samples, 100, 8, line=1)
    sample(samples, 100, 11, line=1)
    assert not own(samples, 110, 12)
    samples = taken_over()
    sample(samples, 100, 8, line=1)
    sample(samples, 100, 10.999999, line=1)
    assert own(samples, 110, 12)


@pytest.mark.parametrize(("covers_from", "is_missing"), [(3, False), (3.000001, True)])
def test_what_was_current_when_it_began_to_listen_needs_no_proof(covers_from: float, is_missing: bool) -> None:
    """A sample at 3 has shown that 100 is the newest."""
    assert own(taken_over(covers_from), 110, 8) is is_missing


@pytest.mark.parametrize(("covers_from", "is_missing"), [(4, False), (4.000001, True)])
def test_an_update_that_both_have_heard_needs_no_proof(covers_from: float, is_missing: bool) -> None:
    samples = settled()
    own(samples, 105, 6, earliest=4)
    samples.recheck([BTC], moment(covers_from), moment(7))
    assert own(samples, 110, 8) is is_missing


def test_what_was_late_over_the_connection_before_will_not_come_any_more() -> None:
    samples = alarmed()
    samples.recheck([BTC], moment(5), moment(7))
    assert own(samples, 104, 8), "older than what a sample has shown, but not the newest that was brought"
    assert overdue(samples, 9) == [lost(0, 8)]


def test_what_only_may_be_missing_is_not_reported_at_the_end() -> None:
    assert overdue(taken_over(), 9, at_end=True) == []
    samples = taken_over()
    sample(samples, 101, 8, line=1)
    sample(samples, 101, 11, line=1)
    assert overdue(samples, 12, at_end=True) == [lost(0, 7, UNPROVEN)], "a sample says that it is"
    samples = alarmed()
    samples.recheck([BTC], moment(5), moment(7))
    assert overdue(samples, 9, at_end=True) == [lost(0, 6)], "one had said so before"


@pytest.mark.parametrize("line", [0, 1])
def test_where_a_connection_is_lost_its_samples_begin_anew(line: int) -> None:
    samples = Samples()
    own(samples, 100, 0)
    for at, update_id in [(0, 90), (3, 100), (4, 105)]:
        sample(samples, update_id, at, line=line)
    samples.forget([BTC, "UNHEARD_OF"])
    assert overdue(samples, 10) == []
    sample(samples, 110, 11, line=line)
    sample(samples, 111, 13, line=line)
    assert overdue(samples, 20) == [], "what a fresh line shows at first may be old"


def test_what_no_sample_shows_is_not_missing() -> None:
    """A sample comes every five seconds: an hour without another is an hour without a change."""
    samples = alarmed()
    assert own(samples, 110, 3600)
    assert overdue(samples, 3601) == [lost(0, 16)]


def test_what_a_connection_that_took_over_has_still_to_show_waits_for_no_sample_of_before() -> None:
    samples = settled()
    sample(samples, 105, 4)
    samples.recheck(["UNHEARD_OF", BTC], moment(5), moment(5.5))
    assert overdue(samples, 6) == [], "its own samples tell, once they are no older than it"
    assert own(samples, 110, 8)


def test_one_that_rests_hides_no_other() -> None:
    samples = alarmed()
    for update_id, at in ((1, 1), (2, 4)):
        samples.sample("B", update_id, moment(at), moment(at), feed=0, line=0)
    sample(samples, 110, 7)
    samples.sample("B", 3, moment(7), moment(7), feed=0, line=0)
    assert overdue(samples, 9) == [Alarm("B", 0, 0)]
