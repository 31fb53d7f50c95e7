"""Whether known texts tell a sound that is asked for from one that is merely the nearest."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from core.encoders.known_text import SoundLevel, TextEcho

DRILL, SAW, RAIN = torch.eye(3)


@pytest.fixture
def echo() -> TextEcho:
    made = TextEcho(texts=3, sentence_dimension=3, dimension=2, temperature=0.05)
    made.set_texts(torch.eye(3), torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 0.5]]))
    return made


def test_that_the_echo_is_what_texts_say_that_read_alike(echo: TextEcho) -> None:
    between = normalize(DRILL + SAW, dim=0)
    said = echo(torch.stack([DRILL, RAIN, between]))
    torch.testing.assert_close(said, torch.tensor([[1.0, 0.0], [0.0, 0.5], [0.8, 0.4]]), atol=1e-5, rtol=0)


def test_that_a_text_echoes_alike_alone_and_among_others(echo: TextEcho) -> None:
    texts = normalize(torch.randn(50, 3), dim=1)
    alone = torch.cat([echo(text[None]) for text in texts])
    torch.testing.assert_close(echo(texts), alone, atol=1e-6, rtol=0)
    assert float(alone.norm(dim=1).max()) <= 1 + 1e-6


def test_that_the_level_is_the_soft_maximum_of_all_scores_beyond_the_usual() -> None:
    level = SoundLevel(texts=3, dimension=3, temperature=0.05)
    torch.testing.assert_close(level(torch.zeros(1, 3)), torch.zeros(1, 1), atol=1e-6, rtol=0)
    sounds = torch.tensor([[0.5, 0.5, 0.5], [1.0, 0.0, 0.0]])
    expected = torch.tensor([0.5, 1.0 - 0.05 * math.log(3)])
    level.set_texts(torch.eye(3), torch.zeros(4, 3))
    torch.testing.assert_close(level(sounds)[:, 0], expected, atol=1e-5, rtol=0)
    level.set_texts(torch.eye(3), sounds)
    torch.testing.assert_close(level(sounds)[:, 0], expected - expected.mean(), atol=1e-5, rtol=0)
    # Setting it again begins anew.
    level.set_texts(torch.eye(3), torch.zeros(4, 3))
    torch.testing.assert_close(level(sounds)[:, 0], expected, atol=1e-5, rtol=0)
