"""Proves that generated English sentences have the right Chinese, and that splits are disjoint.

grammar_pairs.tsv holds sentences of every construction, each checked by a person: construction,
seed, English, Chinese. A change of the grammar or the lexicon that alters one of them fails here;
its author checks the new sentence before adding it to the file. Other tests hold meanings, numbers,
measure words, and what the corpus promises about its splits.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import grammar
from tasks.grammar import (
    ALREADY,
    BARE,
    EVER,
    FUTURE,
    HABIT,
    MUST,
    NEED,
    OWN,
    PAST,
    PLAN,
    PROGRESSIVE,
    PRONOUNS,
    SKILL,
    THAT,
    THIS,
    WANT,
    WEARING,
    Clause,
    Determiner,
    Pair,
    Predicate,
    Words,
    being,
    chinese,
    chinese_number,
    choice,
    comparisons,
    constructions,
    counted,
    english,
    english_number,
    noun_phrase,
    people,
    phrases,
    predicates,
    question,
    questions,
    relative_clauses,
    statement,
)
from tasks.grammar.actions import draw_action
from tasks.grammar.things import ALL_ADJECTIVES, ALL_NOUNS, MANY_OF, adjectives_of, draw_object
from tasks.grammar.times import BYGONE_HOURS, DATES
from tasks.grammar.words import lexicon, numbers, verbs
from tasks.grammar.words.entries import Noun, Verb

ROWS = [
    line.split("\t")
    for line in Path(__file__).with_name("grammar_pairs.tsv").read_text("utf-8").splitlines()
]


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@cache
def corpus() -> dict[str, list[Pair]]:
    return grammar.corpus(random(), 20_000, 1_000, 1_000)


@cache
def many() -> list[Pair]:
    draw = grammar.Draw(random(1))
    return [grammar.draw_pair(draw) for _ in range(50_000)]


# ---------------------------------------------------------------- sentences that a person read


def test_read_pairs_are_many_and_of_every_construction() -> None:
    assert len(ROWS) >= 120
    assert len({row[2] for row in ROWS}) >= 120
    assert {row[0] for row in ROWS} == set(grammar.CONSTRUCTIONS)


@pytest.mark.parametrize(("construction", "seed", "source", "target"), ROWS)
def test_read_pairs_are_derived(construction: str, seed: str, source: str, target: str) -> None:
    pair = grammar.construct(construction, random(int(seed)))
    assert (pair.english, pair.chinese) == (source, target)


# ---------------------------------------------------------------- meanings spelled out


def noun(word: str) -> Noun:
    return next(n for n in (*ALL_NOUNS, *lexicon.PEOPLE) if n.singular == word)


def verb(base: str, of: str = "") -> Verb:
    """Return the verb that takes a noun."""
    pool = (*verbs.VERBS, *verbs.STATES)
    return next(v for v in pool if v.base == base and (not of or v.objects & noun(of).classes))


def doing(base: str, what: str, determiner: Determiner = BARE) -> Predicate:
    return predicates.transitive(verb(base, what), noun_phrase(noun(what), determiner), noun(what))


def deed(base: str) -> Predicate:
    return predicates.deed(next(v for v in verbs.DEEDS if v.base == base))


ME, YOU, HE, SHE, WE, THEY = PRONOUNS.values()
TEACHER = phrases.definite(noun("teacher"))
STUDENTS = next(p for p in people.UNIVERSAL if p.english == "every student")
TWO, THREE = (Determiner("number", english_number(n), counted(n), n) for n in (2, 3))
YESTERDAY, TOMORROW = Words("yesterday", "昨天"), Words("tomorrow", "明天")
LIBRARY, BEIJING = Words("in the library", "图书馆"), Words("in Beijing", "北京")

BOOKS, A_BOOK, TWO_BOOKS = (doing("read", "book", d) for d in (BARE, phrases.A, TWO))
INTERESTING = next(a for a in lexicon.ADJECTIVES if a.english == "interesting")
TALL = next(trait for trait in lexicon.TRAITS if trait.english == "tall")

SPELLED: list[tuple[Clause, str, str]] = [
    # tense, negation, 了 and 过
    (Clause(SHE, BOOKS, HABIT), "she reads books", "她看书"),
    (Clause(SHE, BOOKS, HABIT, True), "she does not read books", "她不看书"),
    (Clause(THEY, BOOKS, HABIT, True), "they do not read books", "他们不看书"),
    (Clause(HE, BOOKS, PAST, time=YESTERDAY), "he read books yesterday", "他昨天看书了"),
    (
        Clause(HE, TWO_BOOKS, PAST, time=YESTERDAY),
        "he read two books yesterday",
        "他昨天看了两本书",
    ),
    (Clause(HE, TWO_BOOKS, PAST, True), "he did not read two books", "他没看两本书"),
    (Clause(HE, BOOKS, PROGRESSIVE), "he is reading books", "他正在看书"),
    (Clause(ME, BOOKS, PROGRESSIVE, True), "I am not reading books", "我没在看书"),
    (Clause(WE, BOOKS, EVER), "we have read books before", "我们以前看过书"),
    (Clause(HE, BOOKS, EVER, True), "he has never read books", "他从来没看过书"),
    (Clause(ME, TWO_BOOKS, ALREADY), "I have already read two books", "我已经看了两本书"),
    (Clause(SHE, BOOKS, ALREADY, True), "she has not read books yet", "她还没看书"),
    # modals and wishes
    (Clause(ME, A_BOOK, FUTURE, time=TOMORROW), "I will read a book tomorrow", "我明天会看一本书"),
    (Clause(ME, A_BOOK, WANT, time=TOMORROW), "I want to read a book tomorrow", "我想明天看一本书"),
    (Clause(HE, BOOKS, PLAN, True), "he does not plan to read books", "他不打算看书"),
    (Clause(HE, BOOKS, NEED, True), "he does not need to read books", "他不用看书"),
    (Clause(HE, BOOKS, MUST), "he must read books", "他必须看书"),
    (Clause(SHE, deed("swim"), SKILL, True), "she cannot swim", "她不会游泳"),
    # place and time before the verb
    (
        Clause(TEACHER, doing("buy", "book", THREE), PAST, True, YESTERDAY, BEIJING),
        "the teacher did not buy three books in Beijing yesterday",
        "老师昨天没在北京买三本书",
    ),
    (
        Clause(HE, BOOKS, PROGRESSIVE, place=LIBRARY),
        "he is reading books in the library",
        "他正在图书馆看书",
    ),
    (
        Clause(TEACHER, TWO_BOOKS, PAST, time=YESTERDAY, early=True),
        "yesterday, the teacher read two books",
        "昨天老师看了两本书",
    ),
    # what one English word is in Chinese
    (Clause(HE, doing("play", "the piano"), HABIT), "he plays the piano", "他弹钢琴"),
    (Clause(HE, doing("play", "the violin"), HABIT), "he plays the violin", "他拉小提琴"),
    (Clause(HE, doing("play", "football"), HABIT), "he plays football", "他踢足球"),
    (Clause(HE, doing("play", "basketball"), HABIT), "he plays basketball", "他打篮球"),
    (Clause(HE, doing("play", "chess"), HABIT), "he plays chess", "他下象棋"),
    (Clause(HE, doing("wear", "hat", THIS), WEARING), "he is wearing this hat", "他戴着这顶帽子"),
    (Clause(HE, doing("wear", "coat", THAT), WEARING), "he is wearing that coat", "他穿着那件大衣"),
    (Clause(HE, doing("eat", "soup"), HABIT), "he eats soup", "他喝汤"),
    # all, compounds that come apart, possessives
    (Clause(STUDENTS, BOOKS, HABIT), "every student reads books", "每个学生都看书"),
    (Clause(SHE, deed("swim"), EVER), "she has swum before", "她以前游过泳"),
    (Clause(SHE, deed("work"), EVER), "she has worked before", "她以前工作过"),
    (
        Clause(phrases.kin("my", lexicon.KIN[1]), doing("like", "book", OWN["his"]), HABIT),
        "my mother likes his book",
        "我妈妈喜欢他的书",
    ),
    # being, having, comparing
    (Clause(HE, predicates.quality(TALL), HABIT), "he is tall", "他很高"),
    (Clause(HE, predicates.quality(TALL), HABIT, True), "he is not tall", "他不高"),
    (Clause(ME, predicates.quality(TALL, "too"), HABIT), "I am too tall", "我太高了"),
    (
        Clause(noun_phrase(noun("book"), THIS), predicates.quality(INTERESTING), HABIT, True),
        "this book is not interesting",
        "这本书没有意思",
    ),
    (being.identity(SHE, noun("doctor")), "she is a doctor", "她是医生"),
    (being.identity(THEY, noun("doctor")), "they are doctors", "他们是医生"),
    (comparisons.comparison(HE, TALL, ME), "he is taller than me", "他比我高"),
    (
        comparisons.comparison(HE, comparisons.AGE, ME, Words("two years ", "两岁")),
        "he is two years older than me",
        "他比我大两岁",
    ),
    (comparisons.equality(HE, TALL, ME, False), "he is as tall as me", "他跟我一样高"),
    (comparisons.equality(HE, TALL, ME, True), "he is not as tall as me", "他没有我高"),
]


@pytest.mark.parametrize(("clause", "source", "target"), SPELLED)
def test_spelled_meanings_render(clause: Clause, source: str, target: str) -> None:
    assert (english(clause), chinese(clause)) == (source, target)


ASKED: list[tuple[Pair, str, str]] = [
    (question(Clause(HE, BOOKS, HABIT)), "Does he read books?", "他看书吗？"),
    (question(Clause(YOU, BOOKS, PAST)), "Did you read books?", "你看书了吗？"),
    (question(Clause(YOU, BOOKS, EVER)), "Have you ever read books?", "你看过书吗？"),
    (choice(Clause(HE, BOOKS, HABIT)), "Does he read books or not?", "他看不看书？"),
    (
        choice(Clause(HE, BOOKS, HABIT, place=LIBRARY)),
        "Does he read books in the library or not?",
        "他在不在图书馆看书？",
    ),
    (choice(Clause(SHE, deed("swim"), SKILL)), "Can she swim or not?", "她会不会游泳？"),
    (
        choice(Clause(SHE, predicates.journey("bank", Words("by bus", "坐公共汽车")), HABIT)),
        "Does she go to the bank by bus or not?",
        "她坐不坐公共汽车去银行？",
    ),
    (
        choice(Clause(SHE, predicates.transitive(verbs.HAVE, noun_phrase(noun("car"), phrases.ANY),
                                              noun("car")), HABIT)),
        "Does she have a car or not?",
        "她有没有汽车？",
    ),
    (statement(Clause(ME, BOOKS, HABIT)), "I read books.", "我看书。"),
]  # fmt: skip


@pytest.mark.parametrize(("pair", "source", "target"), ASKED)
def test_spelled_questions_render(pair: Pair, source: str, target: str) -> None:
    assert pair[:2] == (source, target)


def test_relative_clauses_lose_the_object_and_le() -> None:
    bought = replace(Clause(ME, doing("buy", "book"), PAST), time=YESTERDAY)
    thing = relative_clauses.relative(noun("book"), False, bought)
    assert thing[:2] == ("the book that I bought yesterday", "我昨天买的书")
    who = relative_clauses.person_who(noun("teacher"), False, A_BOOK, PAST, None)
    assert who[:2] == ("the teacher who read a book", "看了一本书的老师")


@pytest.mark.parametrize(
    ("word", "adjective", "source", "target"),
    [
        ("book", "", "two books", "两本书"),
        ("knife", "", "two knives", "两把刀"),
        ("child", "", "two children", "两个孩子"),
        ("sheep", "", "two sheep", "两只羊"),
        ("mouse", "", "two mice", "两只老鼠"),
        ("cow", "", "two cows", "两头牛"),
        ("table", "", "two tables", "两张桌子"),
        ("car", "", "two cars", "两辆汽车"),
        ("skirt", "", "two skirts", "两条裙子"),
        ("shirt", "", "two shirts", "两件衬衫"),
        ("tea", "", "two cups of tea", "两杯茶"),
        ("shoes", "", "two pairs of shoes", "两双鞋"),
        ("house", "old", "two old houses", "两栋老房子"),
        ("hat", "old", "two old hats", "两顶旧帽子"),
        ("car", "red", "two red cars", "两辆红色的汽车"),
        ("hat", "red", "two red hats", "两顶红帽子"),
        ("bread", "delicious", "two pieces of delicious bread", "两块好吃的面包"),
        ("juice", "delicious", "two glasses of delicious juice", "两杯好喝的果汁"),
    ],
)
def test_nouns_have_their_plural_measure_word_and_adjective(
    word: str, adjective: str, source: str, target: str
) -> None:
    fits = [a for a in adjectives_of(noun(word)) if a.english == adjective]
    assert noun_phrase(noun(word), TWO, fits[0] if fits else None)[:2] == (source, target)


@pytest.mark.parametrize("word", ["apple", "umbrella", "office", "egg"])
def test_an_stands_before_a_vowel(word: str) -> None:
    useful, old = (
        next(a for a in lexicon.ADJECTIVES if a.english == english) for english in ("useful", "old")
    )
    assert noun_phrase(noun(word), phrases.A).english == f"an {word}"
    assert noun_phrase(noun(word), phrases.A, useful).english == f"a useful {word}"
    assert noun_phrase(noun(word), phrases.A, old).english == f"an old {word}"


IRREGULAR = """
eats ate eaten eating, drinks drank drunk drinking, reads read read reading, buys bought bought
buying, writes wrote written writing, wears wore worn wearing, drives drove driven driving, rides
rode ridden riding, sings sang sung singing, speaks spoke spoken speaking, draws drew drawn drawing,
keeps kept kept keeping, sees saw seen seeing, takes took taken taking, understands understood
understood understanding, knows knew known knowing, swims swam swum swimming, runs ran run running,
chats chatted chatted chatting, sleeps slept slept sleeping, does did done
doing, makes made made making, goes went gone going, goes went been going, has had had having, plans
planned planned planning, thinks thought thought thinking, says said said saying, teaches taught
taught teaching, gives gave given giving, lends lent lent lending, breaks broke broken breaking,
loses lost lost losing, sells sold sold selling, puts put put putting, hangs hung hung hanging,
leaves left left leaving, sends sent sent sending, steals stole stolen stealing, tidies tidied
tidied tidying
"""


def test_irregular_verbs_are_as_listed_and_the_rest_are_regular() -> None:
    tables = (verbs.VERBS, verbs.STATES, verbs.DEEDS, verbs.THOUGHTS, verbs.GIFTS)
    handlings = [h.verb for h in (*verbs.DISPOSALS, *verbs.SUFFERINGS)]
    others = [verbs.GO, verbs.HAVE, verbs.TEACH, *verbs.PRAISES, *verbs.WISHES.values()]
    known = {tuple(forms.split()) for forms in " ".join(IRREGULAR.split()).split(", ")}
    found = set()
    for v in (*(v for table in tables for v in table), *handlings, *others):
        stem = v.base.removesuffix("e")
        if (v.past, v.participle, v.gerund) != (stem + "ed", stem + "ed", stem + "ing"):
            found.add((v.third, v.past, v.participle, v.gerund))
    assert found == known


# ---------------------------------------------------------------- numbers

SIGNS = {"十": 10, "百": 100, "千": 1_000, "万": 10_000}
VALUES = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"两": 2}


def read_back(text: str) -> int:
    """Return the value of a Chinese number, read character by character."""
    total, digit = 0, 1 if text[0] == "十" else 0
    for sign in text:
        if sign in SIGNS:
            total, digit = total + digit * SIGNS[sign], 0
        else:
            digit = VALUES[sign]
    return total + digit


def read_english(text: str) -> int:
    """Return the value of an English number, read word by word."""
    total = part = 0
    for word in text.replace("-", " ").replace(" and ", " ").split():
        if word == "thousand":
            total, part = part * 1_000, 0
        elif word == "hundred":
            part *= 100
        else:
            part += (
                numbers.SMALL.index(word)
                if word in numbers.SMALL
                else 10 * numbers.TENS.index(word)
            )
    return total + part


@given(st.integers(1, 99_999))
@settings(max_examples=500)
def test_numbers_read_back_in_both_languages(number: int) -> None:
    assert read_back(chinese_number(number)) == number
    assert read_english(english_number(number)) == number


@given(st.integers(1, 99_999))
def test_ling_is_said_once_for_every_inner_gap(number: int) -> None:
    gaps = re.findall("(?<=[1-9])0+(?=[1-9])", str(number))
    assert chinese_number(number).count("零") == len(gaps)


@pytest.mark.parametrize(
    ("number", "source", "target"),
    [
        (2, "two", "二"),
        (12, "twelve", "十二"),
        (22, "twenty-two", "二十二"),
        (110, "one hundred and ten", "一百一十"),
        (202, "two hundred and two", "两百零二"),
        (1_005, "one thousand and five", "一千零五"),
        (10_050, "ten thousand and fifty", "一万零五十"),
        (12_000, "twelve thousand", "一万两千"),
        (20_500, "twenty thousand five hundred", "两万零五百"),
        (90_807, "ninety thousand eight hundred and seven", "九万零八百零七"),
    ],
)
def test_numbers_are_spelled(number: int, source: str, target: str) -> None:
    assert (english_number(number), chinese_number(number)) == (source, target)


def test_two_is_liang_before_a_measure_word_and_er_in_a_date() -> None:
    assert counted(2) == "两"
    assert counted(12) == "十二"
    assert Words("on February the second", "二月二号") in DATES
    assert Words("at two o'clock yesterday afternoon", "昨天下午两点") in BYGONE_HOURS


# ---------------------------------------------------------------- the whole language


def test_word_types_are_four_hundred_or_more_and_most_are_trained_on() -> None:
    types = set().union(*(grammar.word_types(pair.english) for pair in many()))
    trained = set().union(*(grammar.word_types(pair.english) for pair in corpus()["train"]))
    assert all(re.fullmatch("[a-zé'-]+", word) for word in types)
    assert len(types) >= 400
    assert len(trained) >= 400


def test_count_is_a_lower_bound_where_it_can_be_enumerated() -> None:
    assert grammar.count() > 10**8
    subjects, times = constructions.SUBJECTS[::40], constructions.BYGONE_TIMES[::80]
    acts = [verb("read"), verb("draw"), verb("drive"), verb("keep")]
    made = [english(clause) for clause in constructions.past_statements(subjects, acts, times)]
    assert len(set(made)) == len(made) == constructions.past_count(subjects, acts, times)
    assert len(made) > 5_000


def test_counted_sentences_can_be_drawn() -> None:
    """All counted objects of a verb, subjects and times are drawn at some time."""
    draw = grammar.Draw(random())
    objects = (draw_object(draw, verb("drive"), "d", True, YOU)[0] for _ in range(10_000))
    assert {said.tail for said in constructions.past_predicates(verb("drive"))} <= {
        phrase.object for phrase in objects
    }
    clauses = [draw_action(draw, PAST) for _ in range(40_000)]
    assert {s.english for s in constructions.SUBJECTS} <= {c.subject.english for c in clauses}
    assert set(constructions.BYGONE_TIMES) <= {clause.time for clause in clauses}


def test_few_sentences_come_twice() -> None:
    assert len({pair.english for pair in many()}) > 0.9 * len(many())


def test_one_english_sentence_has_one_chinese() -> None:
    translations: dict[str, set[str]] = {}
    for pair in many():
        translations.setdefault(pair.english, set()).add(pair.chinese)
    assert all(len(found) == 1 for found in translations.values())


def test_text_is_clean() -> None:
    for pair in many():
        assert re.fullmatch("[A-Z][A-Za-zé',-]*( [A-Za-zé',-]+)*[.?]", pair.english), pair
        assert re.fullmatch("[一-鿿]+(，[一-鿿]+)*[。？]", pair.chinese), pair
        assert (pair.english[-1] == "?") == (pair.chinese[-1] == "？"), pair
        assert not re.search(r"\ba (?!useful)[aeiou]|\ban ([^aeiou]|useful)", pair.english), pair


def test_lengths_stay_within_what_the_docstring_says() -> None:
    words = [len(pair.english.split()) for pair in many()]
    signs = [len(pair.chinese) for pair in many()]
    assert (min(words), min(signs)) == (2, 4)
    assert max(words) <= 26
    assert max(signs) <= 35
    assert np.median(words) == 8
    assert np.median(signs) == 12


def test_le_never_follows_mei_nor_stands_with_guo() -> None:
    draw = grammar.Draw(random(2))
    for _ in range(5_000):
        said = grammar.CONSTRUCTIONS["statement"][1](draw).chinese
        if "没" in said or "过" in said:
            assert "了" not in said, said


SHARES = {
    "吗？": 0.05,
    "不": 0.08,
    "没": 0.04,
    "了": 0.1,
    "过": 0.015,
    "把": 0.04,
    "被": 0.02,
    "比": 0.015,
    "着": 0.005,
    "正在": 0.01,
    "会": 0.03,
    "能": 0.005,
    "可以": 0.002,
    "想": 0.02,
    "必须": 0.004,
    "因为.*所以": 0.006,
    "虽然.*但是": 0.004,
    "如果.*就": 0.006,
    "(.)不\\1.*？": 0.015,
    "有没有": 0.003,
    "谁|什么|哪|几.*？|怎么|多少": 0.03,
    "两[^百千万]": 0.015,
    "二": 0.005,
    "万": 0.003,
    "零": 0.004,
    "都": 0.003,
    "得很": 0.004,
    "一样": 0.003,
    "离": 0.001,
}


@pytest.mark.parametrize(("pattern", "least"), SHARES.items())
def test_every_construction_has_its_share(pattern: str, least: float) -> None:
    found = sum(bool(re.search(pattern, pair.chinese)) for pair in corpus()["train"])
    assert found >= least * len(corpus()["train"])


def test_relative_clauses_have_their_share() -> None:
    held = [p for p in corpus()["train"] if re.search(r"^The \w+ (who|that) ", p.english)]
    assert len(held) > 0.02 * len(corpus()["train"])
    assert all("的" in pair.chinese for pair in held)


def test_every_class_in_the_lexicon_is_carried_by_a_noun() -> None:
    carried = {kind for n in ALL_NOUNS for kind in n.classes}
    people = {kind for n in lexicon.PEOPLE for kind in n.classes} | {"person"}
    asked = {kind for v in (*verbs.VERBS, *verbs.STATES, *verbs.GIFTS) for kind in v.objects}
    asked |= {kind for h in (*verbs.DISPOSALS, *verbs.SUFFERINGS) for kind in h.objects}
    asked |= {kind for a in ALL_ADJECTIVES for kind in a.classes}
    asked |= {kind for kinds in being.CLASSES.values() for kind in kinds}
    asked |= MANY_OF | being.OWNED | questions.PRICED | questions.BELONGINGS
    assert asked <= carried | people


def test_every_place_of_a_verb_is_known() -> None:
    named = {key for v in (*verbs.VERBS, *verbs.DEEDS) for key in v.places}
    assert named <= set(lexicon.PLACES)


# ---------------------------------------------------------------- the corpus


def test_the_seed_determines_a_sample() -> None:
    drawn = [grammar.sample(random(seed)) for seed in range(50)]
    assert drawn == [grammar.sample(random(seed)) for seed in range(50)]
    assert len(set(drawn)) > 45


def test_the_seed_determines_a_corpus() -> None:
    one, again = (grammar.corpus(random(5), 300, 30, 30, 0) for _ in range(2))
    assert one == again
    assert one != grammar.corpus(random(6), 300, 30, 30, 0)


@pytest.mark.parametrize("train", [0, 10])
def test_training_too_small_for_the_words_of_unseen_sentences_is_refused(train: int) -> None:
    wanted = rf"train={train} is too small for unseen=5: .*give a larger train .*or a smaller"
    with pytest.raises(ValueError, match=wanted):
        grammar.corpus(random(), train, 3, 3, 5)
    assert len(grammar.corpus(random(), train, 3, 3, 0)["train"]) == train


def test_a_thousand_training_sentences_hold_the_words_of_a_thousand_unseen() -> None:
    """The error that refuses a smaller training split promises so."""
    assert len(grammar.corpus(random(), 1_000, 0, 0, 1_000)["unseen"]) == 1_000


def test_splits_have_their_sizes() -> None:
    sizes = {name: len(pairs) for name, pairs in corpus().items()}
    assert sizes == {"train": 20_000, "valid": 1_000, "test": 1_000, "unseen": 1_000}


def test_no_sentence_stands_twice_in_either_language() -> None:
    pairs = [pair for split in corpus().values() for pair in split]
    assert len({pair.english for pair in pairs}) == len(pairs)
    assert len({pair.chinese for pair in pairs}) == len(pairs)


def test_valid_and_test_are_drawn_as_train_is() -> None:
    """Both have the same share of questions, within four standard errors."""
    asked = {n: np.mean([p.english[-1] == "?" for p in corpus()[n]]) for n in ("train", "test")}
    assert abs(asked["train"] - asked["test"]) < 4 * (0.25 / 1_000) ** 0.5


def test_unseen_combines_seen_words_as_no_other_split_does() -> None:
    seen = {
        combination
        for name in ("train", "valid", "test")
        for pair in corpus()[name]
        for combination in pair.combinations
    }
    words = set().union(*(grammar.word_types(pair.english) for pair in corpus()["train"]))
    signs = set().union(*(pair.chinese for pair in corpus()["train"]))
    for pair in corpus()["unseen"]:
        assert pair.combinations - seen
        assert grammar.word_types(pair.english) <= words
        assert signs.issuperset(pair.chinese)


def test_held_out_combinations_are_a_twentieth() -> None:
    seen = Counter(c for pair in many() for c in pair.combinations)
    share = sum(map(grammar.held_out, seen)) / len(seen)
    assert 0.02 < share < 0.09


def test_no_held_out_combination_is_spelled_in_training() -> None:
    """A second way to find combinations, from the words of simple sentences, finds none."""
    forms = {
        form + v.particle: v.base + v.particle
        for v in verbs.VERBS
        if not v.particle
        for form in (v.base, v.third, v.past, v.participle, v.gerund)
    }
    words = {name: n.singular for n in ALL_NOUNS for name in (n.singular, n.plural)}
    for other in (*words, *(adjective.english for adjective in ALL_ADJECTIVES)):
        forms.pop(other, None)  # a watch, a clean room
    known = {c for pair in many() for c in pair.combinations if grammar.held_out(c)}
    plain = [p for p in corpus()["train"] if not re.search("who|that|,|than| as | to ", p.english)]
    slipped = []
    for pair in plain:
        spoken = [word.strip(".?").lower() for word in pair.english.split()]
        acts = {forms[word] for word in spoken if word in forms}
        things = {words[word] for word in spoken if word in words}
        found = {(act, thing) for act in acts for thing in things} & known
        slipped += [pair for _ in found]
    assert not slipped
    assert len(known) > 30


def test_verbs_agree_with_every_subject() -> None:
    having = predicates.transitive(verbs.HAVE, noun_phrase(noun("book"), phrases.A), noun("book"))
    plurals = "we you they I".split()
    for subject in constructions.SUBJECTS:
        head, verb = english(Clause(subject, having, HABIT)).removesuffix(" a book").rsplit(" ", 1)
        several = head in plurals or re.match(r"(many|these|those)\b|.*s$|.*children$", head)
        assert verb == ("have" if several else "has"), head
