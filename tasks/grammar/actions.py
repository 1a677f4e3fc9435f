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
    if form is WEARING and _are_several(subject):
        subject = draw.pick(NAMED)  # several people do not wear one hat
    said = (
        _feat(draw, affirmed, subject)
        if form is CAN
        else draw_predicate(draw, form, affirmed, subject)
    )
    place = _draw_place(draw, said, form, negative, subject)
    time = draw_when(draw, form, said.late)
    adverb = _draw_adverb(draw, form, time) if affirmed and not subject.every else None
    early = time is not None and not asked and _draw_early(draw, form)
    return Clause(subject, said, form, negative, time, place, adverb, early)


def _are_several(subject: Phrase) -> bool:
    """Return whether a subject is several others, and not each of them by itself."""
    return subject.plural and not subject.every and subject.person == 3


def _draw_early(draw: Draw, form: Form) -> bool:
    """Draw whether a time stands at the beginning of a statement."""
    return form in (PAST, FUTURE) and draw.chance(0.2)


def _draw_place(
    draw: Draw, said: Predicate, form: Form, negative: bool, subject: Phrase
) -> Words | None:
    """Draw a place for the act, or None."""
    # 没在家 and 都在家 would say where somebody is, not what they are doing there
    ambiguous = form is PROGRESSIVE and (negative or subject.every)
    if not said.places or form not in PLACED or ambiguous:
        return None
    return at(draw.pick(said.places)) if draw.chance(0.45) else None


def _draw_adverb(draw: Draw, form: Form, time: Words | None) -> Words | None:
    """Draw an adverb of an affirmative clause, or None."""
    if form is HABIT and time is None and draw.chance(0.5):
        return draw.pick(OFTEN)
    return ALSO if form in (HABIT, WANT, PLAN) and draw.chance(0.1) else None


def _feat(draw: Draw, affirmed: bool, subject: Phrase) -> Predicate:
    """Draw something that one can do without having learned it, so that "can" is 能."""
    verb = draw.pick([v for v in verbs_with("m") if "s" not in v.forms])
    return transitive(verb, *draw_object(draw, verb, "m", affirmed, subject))
