from __future__ import annotations

import pytest

from core.search.lexical import LexicalSearch


class Texts:
    """Stands for the catalogue: what its full-text table gives for any expression."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.expressions: list[str] = []

    def full_text(self, expression, *, limit, among=None):
        self.expressions.append(expression)
        return [(number, (name, "", "", "")) for number, name in enumerate(self.names, start=1)][:limit]


def found(name: str, *words: str) -> set[str]:
    files = LexicalSearch(Texts(name)).find(words)
    return set(files[1]["name"]) if files else set()


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        ("Dog_Barking_04.wav", ["dog", "barks"], {"dog", "barks"}),
        ("Dogs_01.wav", ["dog", "doghouse"], {"dog"}),
        ("Doghouse.wav", ["dog", "doghouse"], {"dog", "doghouse"}),
        ("hotdog.wav", ["dog"], set()),
        ("SF_rain.wav", ["sf", "s", "ra"], {"sf"}),
        ("17 bells.wav", ["17", "1", "bell"], {"17", "bell"}),
        ("take 170.wav", ["17"], set()),
        ("Türschlag.wav", ["turschlag"], {"turschlag"}),
        ("door-slam.wav", ["door-slam", "slam", "do"], {"door-slam", "slam"}),
        ("a.b (c) dog.wav", ["a.b", "dog"], {"a.b", "dog"}),
        ("rain rain rain.wav", ["rain", "raining", "wind"], {"rain", "raining"}),
    ],
)
def test_that_words_are_found_where_a_word_of_the_text_begins_with_them(name, words, expected):
    assert found(name, *words) == expected


def test_that_every_stem_is_looked_up_once():
    texts = Texts()
    assert LexicalSearch(texts).find(["barking", "barks", "sf"]) == {}
    assert texts.expressions == ['"bark"* OR "sf"']
    assert LexicalSearch(texts).find([]) == {}
    assert len(texts.expressions) == 1
