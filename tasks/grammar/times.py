"""Lists and draws times and places: hours, days, dates, how often, and where."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.grammar.clauses import Words, words_of
from tasks.grammar.drawing import Draw
from tasks.grammar.words import lexicon
from tasks.grammar.words.numbers import ORDINALS, SMALL, chinese_number, counted, english_number


def _clock() -> tuple[tuple[str, str, str], ...]:
    """Return the times of day: English, Chinese and the part of the day; "two o'clock" is 两点."""
    parts = (("morning", range(6, 12)), ("afternoon", range(1, 6)), ("evening", range(7, 11)))
    return tuple(
        (f"at {minute}{SMALL[hour]}{end}", f"{counted(hour)}点{chinese}", part)
        for part, hours in parts
        for hour in hours
        for minute, end, chinese in (
            ("", " o'clock", ""),
            ("half past ", "", "半"),
            ("a quarter past ", "", "一刻"),
        )
    )


CLOCK = _clock()
MONTHS = (
    "January February March April May June July August September October November December"
).split()
WEEKDAYS = ("Monday 一 Tuesday 二 Wednesday 三 Thursday 四 Friday 五 Saturday 六 Sunday 天").split()
DAYS = tuple(zip(WEEKDAYS[::2], WEEKDAYS[1::2], strict=True))
PARTS = {"morning": "早上", "afternoon": "下午", "evening": "晚上"}
DATES = tuple(
    Words(f"on {month} the {ORDINALS[day]}", f"{chinese_number(index)}月{chinese_number(day)}号")
    for index, month in enumerate(MONTHS, 1)
    for day in range(1, 21)
)


def _hours(day: str, chinese: str) -> tuple[Words, ...]:
    """Return every time of a day, such as "half past seven yesterday evening"."""
    return tuple(
        Words(f"{english} {day} {part}", f"{chinese}{PARTS[part]}{clock}")
        for english, clock, part in CLOCK
    )


HABITUAL = (
    *words_of("every day/每天|every morning/每天早上|every evening/每天晚上|on weekends/周末"),
    *(Words(f"on {day}s", f"星期{sign}") for day, sign in DAYS),
)
DAILY = _hours("every", "每天")
BYGONE = (
    *words_of("yesterday/昨天|yesterday evening/昨天晚上|yesterday morning/昨天早上"),
    *words_of("last week/上个星期|last month/上个月|last year/去年|the day before yesterday/前天"),
    *(Words(f"last {day}", f"上个星期{sign}") for day, sign in DAYS),
    *(Words(f"{english_number(n)} days ago", f"{counted(n)}天前") for n in range(2, 8)),
)
BYGONE_HOURS = _hours("yesterday", "昨天")
COMING = (
    *words_of(
        "tomorrow/明天|tomorrow morning/明天早上|tomorrow evening/明天晚上|next week/下个星期"
    ),
    *words_of("next month/下个月|next year/明年|the day after tomorrow/后天|tonight/今天晚上"),
    *(Words(f"next {day}", f"下个星期{sign}") for day, sign in DAYS),
    *(Words(f"in {english_number(n)} days", f"{counted(n)}天后") for n in range(2, 8)),
)
COMING_HOURS = _hours("tomorrow", "明天")
NOW = Words("now", "现在")
OFTEN = words_of("often/经常|usually/通常|sometimes/有时候|always/总是")
ALSO = Words("also", "也")


def draw_time(draw: Draw, days: Sequence[Words], hours: Sequence[Words]) -> Words:
    """Draw a time: mostly a day, sometimes with the hour, or a date."""
    number = draw.uniform()
    if number < 0.15:
        return draw.pick(hours)
    return draw.pick(DATES) if number < 0.2 and days is not HABITUAL else draw.pick(days)


def at(key: str) -> Words:
    """Return where something is done, by its key in the table of places."""
    return Words(lexicon.PLACES[key].at, lexicon.PLACES[key].chinese)
