"""Writes the numbers 1 to 99,999 in English and in Chinese."""

from __future__ import annotations

DIGITS = "零一二三四五六七八九"
SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = (
    "- first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()


def english_number(number: int) -> str:
    """Write a number from 1 to 99,999 in words: 10,050 is ten thousand and fifty."""
    assert 0 < number < 100_000, number
    if number < 20:
        return SMALL[number]
    if number < 100:
        return TENS[number // 10] + (f"-{SMALL[number % 10]}" if number % 10 else "")
    size, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    head, rest = divmod(number, size)
    text = f"{english_number(head)} {name}"
    if not rest:
        return text
    return f"{text} {'and ' if rest < 100 else ''}{english_number(rest)}"


def chinese_number(number: int) -> str:
    """Write a number from 1 to 99,999 in characters: 10,050 is 一万零五十, 12,000 is 一万两千.

    2 is 两 before 百, 千 and 万.
    """
    assert 0 < number < 100_000, number
    if 10 <= number < 20:
        return "十" + (DIGITS[number % 10] if number % 10 else "")
    text, gap = "", False
    for size, sign in ((10_000, "万"), (1_000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // size % 10
        if not digit:
            gap = bool(text)
            continue
        name = "两" if digit == 2 and size >= 100 else DIGITS[digit]
        text += ("零" if gap else "") + name + sign
        gap = False
    return text


def counted(number: int) -> str:
    """Write a number as it stands before a measure word: 2 alone is 两."""
    return "两" if number == 2 else chinese_number(number)
