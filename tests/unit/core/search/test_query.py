from pathlib import Path

import pytest

from core.errors import QueryError
from core.search.filter import NumberCondition, WordCondition, compile_condition, parse_condition
from core.search.query import ClipPart, QuerySpec, TextPart, build_query, content_words
from core.types import Span


def test_that_plain_words_are_meaning_and_hints_but_demand_nothing():
    query = build_query("heavy wooden door slams, then footsteps")
    assert query.parts == (TextPart("heavy wooden door slams, then footsteps"),)
    assert not query.lexical.demands
    assert query.lexical.hints == ("heavy", "wooden", "door", "slams", "footsteps")


def test_that_a_minus_excludes_a_word_and_takes_it_out_of_the_meaning():
    query = build_query('wind -howling -"car door" NOT rain')
    assert query.parts == (TextPart("wind"),)
    assert query.lexical.excluded == ("howling", "car door", "rain")


def test_that_a_hyphenated_word_is_no_exclusion():
    query = build_query("sci-fi door, low-pitched")
    assert query.parts == (TextPart("sci-fi door, low-pitched"),)
    assert query.lexical.excluded == ()


def test_that_a_phrase_is_demanded_and_is_still_meaning():
    query = build_query('"iron gate" creaks')
    assert query.parts == (TextPart("iron gate creaks"),)
    assert query.lexical.groups == (("iron gate",),)


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("gate AND rusty", (("gate",), ("rusty",))),
        ("gate OR hinge", (("gate", "hinge"),)),
        ("gate OR hinge AND rusty", (("gate", "hinge"), ("rusty",))),
        ("rusty AND gate OR hinge", (("rusty",), ("gate", "hinge"))),
        ('gate AND "slow creak"', (("gate",), ("slow creak",))),
    ],
)
def test_that_operators_make_demands_and_or_binds_tighter(text, groups):
    assert build_query(text).lexical.groups == groups


@pytest.mark.parametrize("text", ["AND gate", "gate OR", "door NOT"])
def test_that_a_dangling_operator_is_a_clear_error(text):
    with pytest.raises(QueryError, match="stands"):
        build_query(text)


def test_that_fields_become_filters_and_leave_the_meaning():
    query = build_query("door slam format:wav duration:<5 -ucs:DOORWood rate:>=96k")
    assert query.parts == (TextPart("door slam"),)
    assert query.conditions == (
        WordCondition("format", ("wav",)),
        NumberCondition("duration_s", most=5, most_excluded=True),
        WordCondition("ucs", ("DOORWood",), negative=True),
        NumberCondition("sample_rate_hz", least=96_000),
    )


def test_that_a_colon_after_an_unknown_word_stays_text():
    assert build_query("scene 3: the gate").parts == (TextPart("scene 3: the gate"),)


@pytest.mark.parametrize(
    ("expression", "condition"),
    [
        ("duration:2..10", NumberCondition("duration_s", least=2, most=10)),
        ("duration<1:30", NumberCondition("duration_s", most=90, most_excluded=True)),
        ("duration>500ms", NumberCondition("duration_s", least=0.5, least_excluded=True)),
        ("rate=96", NumberCondition("sample_rate_hz", least=96_000, most=96_000)),
        ("rate=44.1khz", NumberCondition("sample_rate_hz", least=44_100, most=44_100)),
        ("channels:stereo", NumberCondition("channels", least=2, most=2)),
        ("loudness>-20", NumberCondition("loudness_lufs", least=-20, least_excluded=True)),
        ("channels!=1", NumberCondition("channels", least=1, most=1, negative=True)),
        ("format=wav|flac", WordCondition("format", ("wav", "flac"))),
        ('folder="Field recordings/2024"', WordCondition("folder", ("Field recordings/2024",))),
    ],
)
def test_that_filter_expressions_are_read(expression, condition):
    assert parse_condition(expression) == condition


@pytest.mark.parametrize("expression", ["", "duration", "colour=red", "duration<soon", "format>wav", "format=|"])
def test_that_an_unreadable_filter_is_a_clear_error(expression):
    with pytest.raises(QueryError) as caught:
        parse_condition(expression)
    assert caught.value.way_out


def test_that_text_clips_and_negatives_make_one_query():
    clip = ClipPart(Path("gate.wav"), weight=0.6)
    query = build_query("creak", clips=[clip], negatives=["voices", " "], text_weight=2)
    assert query.parts == (TextPart("creak", 2), clip)
    assert query.negatives == (TextPart("voices"),)


def test_that_a_question_survives_as_json():
    spec = QuerySpec(
        text='"iron gate" -car',
        text_weight=0.5,
        clips=(ClipPart(Path("/a/b\udce9.wav"), Span(1.25, 3.0), 2.0), ClipPart(Path("c.flac"))),
        negatives=(TextPart("voices", 0.3), TextPart("wind")),
        where=("rate>=96k", "tag:rusty"),
    )
    line = spec.to_json()
    assert line.isascii()
    assert "\n" not in line
    assert QuerySpec.from_json(line) == spec
    assert QuerySpec.from_json("{}") == QuerySpec()


def test_that_a_question_is_built_as_it_was_put_together():
    spec = QuerySpec(
        "creak", clips=(ClipPart(Path("gate.wav")),), negatives=(TextPart(" voices ", 2.0),), where=("bits=24",)
    )
    assert spec.build() == build_query(
        "creak", clips=[ClipPart(Path("gate.wav"))], negatives=[TextPart("voices", 2.0)], where=["bits=24"]
    )
    assert not spec.is_empty
    assert QuerySpec(text=" ", negatives=(TextPart(" "),)).is_empty


@pytest.mark.parametrize(
    "line",
    ["", "[]", "7", '{"text": 3}', '{"clips": [{"span": [1, 2]}]}', '{"clips": [{"path": "a", "span": [3, 1]}]}'],
)
def test_that_a_line_that_is_no_question_is_a_clear_error(line):
    with pytest.raises(QueryError, match="cannot be read"):
        QuerySpec.from_json(line)


@pytest.mark.parametrize("expression", ["favourite:maybe", "rating>many", "captioned:"])
def test_that_a_filter_of_the_desk_without_sense_is_a_clear_error(expression):
    with pytest.raises(QueryError) as caught:
        compile_condition(parse_condition(expression))
    assert caught.value.way_out


def test_that_sizes_may_have_units():
    assert parse_condition("size>=2.5mb") == NumberCondition("size", least=2_500_000.0)


@pytest.mark.parametrize("text", ["", "   "])
def test_that_an_empty_query_is_a_clear_error(text):
    with pytest.raises(QueryError, match="empty"):
        build_query(text)


def test_that_a_query_of_any_length_or_odd_characters_is_either_read_or_refused():
    assert build_query("—  ♪ \x00 ' \" (").parts
    with pytest.raises(QueryError, match="characters"):
        build_query("door " * 1000)


def test_that_a_weight_of_zero_is_refused():
    with pytest.raises(QueryError, match="weight"):
        build_query("door", text_weight=0)
    with pytest.raises(QueryError, match="weight"):
        build_query("door", negatives=[TextPart("car", 0)])


def test_that_content_words_leave_out_what_says_nothing():
    assert content_words("The sound of a Dog, a dog and the sea") == ("dog", "sea")
