"""Draws clauses in which somebody does something, in any tense or mood, with time and place."""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate

from tasks.grammar.clauses import (
    ALREADY,
    CAN,
    EVER,
    FUTURE,
    HABIT,
    LIKE,
    MAY,
    MUST,
    NEED,
    PAST,
    PLAN,
    PROGRESSIVE,
    SHOULD,
    SKILL,
    WANT,
    WEARING,
    Clause,
    Form,
    Predicate,
    Words,
)
from tasks.grammar.drawing import Draw
from tasks.grammar.people import NAMED, draw_subject
from tasks.grammar.phrases import Phrase
from tasks.grammar.predicates import draw_predicate, transitive, verbs_with
from tasks.grammar.things import draw_object
from tasks.grammar.times import (
    ALSO,
    BYGONE,
    BYGONE_HOURS,
    COMING,
    COMING_HOURS,
    DAILY,
    HABITUAL,
    NOW,
    OFTEN,
    at,
    draw_time,
)

# for each form: its share of statements, and the probability that a time stands with it
SHARES: dict[Form, tuple[float, float]] = {
    HABIT: (20, 0.5),
    PAST: (32, 0.75),
    PROGRESSIVE: (10, 0.2),
    FUTURE: (10, 1.0),
    EVER: (10, 0.0),
    ALREADY: (6, 0.0),
    WANT: (4, 0.4),
    LIKE: (3, 0.0),
    PLAN: (3, 0.6),
    NEED: (2, 0.3),
    SKILL: (4, 0.0),
    CAN: (3, 0.4),
    MAY: (2, 0.3),
    SHOULD: (3, 0.4),
    MUST: (2, 0.4),
    WEARING: (4, 0.0),
}
FORMS = tuple(SHARES)
FORM_TOTALS = tuple(accumulate(share for share, _ in SHARES.values()))
ASKED_FORMS = (HABIT, PAST, PAST, PROGRESSIVE, FUTURE, EVER, EVER, ALREADY, WANT, PLAN, SKILL, CAN)


def draw_form(draw: Draw) -> Form:
    """Draw a tense or mood with the probabilities of `SHARES`."""
    return FORMS[bisect(FORM_TOTALS, draw.uniform() * FORM_TOTALS[-1])]


def draw_when(draw: Draw, form: Form, late: bool) -> Words | None:
    """Draw a time that fits the form, or None.

    late: 了 ends the clause; then the past needs a time.
    """
    if (form is PAST and late) or draw.chance(SHARES[form][1]):
        if form is HABIT:
            return draw_time(draw, HABITUAL, DAILY)
        if form is PROGRESSIVE:
            return NOW
        return draw_time(
            draw, *((BYGONE, BYGONE_HOURS) if form is PAST else (COMING, COMING_HOURS))
        )
    return None


PLACED = (HABIT, PAST, PROGRESSIVE, FUTURE, WANT, LIKE, PLAN)


def draw_action(
    draw: Draw, form: Form, negative: bool = False, asked: bool = False, who: Phrase | None = None
) -> Clause:
    """Draw a clause in which somebody does something.

    negative, asked: the clause is negated, or becomes a question. who: the subject; drawn if None.
    """
    affirmed = not (negative or asked)
    subject = who or draw_subject(draw, asked, affirmed)
    if form is WEARING and subject.plural and not subject.every and subject.person == 3:
        subject = draw.pick(NAMED)  # many would hardly wear one hat
    if form is CAN:
        said = _feat(draw, affirmed, subject)
    else:
        said = draw_predicate(draw, form, affirmed, subject)
    where = said.places and form in PLACED and not (negative and form is PROGRESSIVE)
    where = where and not (subject.every and form is PROGRESSIVE)  # 都在家 is no progressive
    place = at(draw.pick(said.places)) if where and draw.chance(0.45) else None
    time = draw_when(draw, form, said.late)
    adverb = None
    if form is HABIT and affirmed and not subject.every and time is None and draw.chance(0.5):
        adverb = draw.pick(OFTEN)
    elif form in (HABIT, WANT, PLAN) and affirmed and not subject.every and draw.chance(0.1):
        adverb = ALSO
    early = time is not None and form in (PAST, FUTURE) and not asked and draw.chance(0.2)
    return Clause(subject, said, form, negative, time, place, adverb, early)


def _feat(draw: Draw, affirmed: bool, subject: Phrase) -> Predicate:
    """Draw something that one can do without having learned it, so that "can" is 能."""
    verb = draw.pick([v for v in verbs_with("m") if "s" not in v.forms])
    return transitive(verb, *draw_object(draw, verb, "m", affirmed, subject))
