from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from training.losses import Batch, EstimatedCorrespondence, NtXent, create_loss
from training.losses.unheard import Unheard


def unit(rows: int, dimension: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(rows, dimension, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(drawn, dim=-1)


def batch(rows: int = 5, *, shared: bool = True) -> Batch:
    matches = torch.eye(rows, dtype=torch.bool)
    if shared:
        matches[0, 1] = matches[1, 0] = True
    estimates = torch.rand(rows, rows, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return Batch(unit(rows, 8, 1), unit(rows, 8, 2), matches, estimates)


def value(loss: torch.nn.Module, given: Batch) -> Tensor:
    return torch.stack(list(loss(given).values())).sum()


NAMES = ("nt-xent", "estimated-correspondence", "unheard")

# Texts and sounds along the axes: at a temperature of 1 the scores are the matrix itself.
SCORES = [[1.0, 0.0, 0.0], [0.0, 0.6, 0.8], [0.0, 0.8, -0.6]]


def by_hand(scores: list[list[float]]) -> Batch:
    return Batch(torch.tensor(scores), torch.eye(3), torch.eye(3, dtype=torch.bool), torch.tensor(scores))


def log_share(values: list[float], index: int) -> float:
    return values[index] - math.log(sum(math.exp(entry) for entry in values))


def test_that_nt_xent_is_the_mean_of_both_directions_by_hand() -> None:
    rows = [log_share(SCORES[i], i) for i in range(3)]
    columns = [log_share([SCORES[j][i] for j in range(3)], i) for i in range(3)]
    parts = NtXent(temperature=1.0)(by_hand(SCORES))
    assert parts["text_to_audio"].item() == pytest.approx(-0.5 * sum(rows) / 3, abs=1e-6)
    assert parts["audio_to_text"].item() == pytest.approx(-0.5 * sum(columns) / 3, abs=1e-6)


def test_that_nt_xent_counts_every_matching_pair_by_hand() -> None:
    matches = torch.eye(3, dtype=torch.bool)
    matches[1, 2] = True
    given = by_hand(SCORES)
    found = NtXent(temperature=1.0)(Batch(given.text, given.audio, matches, given.estimates))
    pairs = [(0, 0), (1, 1), (1, 2), (2, 2)]
    expected = -0.5 * sum(log_share(SCORES[i], j) for i, j in pairs) / 4
    assert found["text_to_audio"].item() == pytest.approx(expected, abs=1e-6)


def test_that_the_correspondence_loss_is_a_cross_entropy_by_hand() -> None:
    theta = 0.5
    expected = 0.0
    for row in SCORES:
        total = sum(math.exp(entry / theta) for entry in row)
        expected += sum(math.exp(row[j] / theta) / total * log_share(row, j) for j in range(3))
    found = EstimatedCorrespondence(temperature=1.0, teacher_temperature=theta)(by_hand(SCORES))
    assert found["text_to_audio"].item() == pytest.approx(-0.5 * expected / 3, abs=1e-6)


def test_that_a_teacher_that_is_followed_leaves_its_own_entropy() -> None:
    given = batch()
    agreeing = Batch(given.text, given.audio, given.matches, given.text @ given.audio.T)
    loss = EstimatedCorrespondence(temperature=0.2, teacher_temperature=0.2)
    shares = torch.softmax(agreeing.estimates / 0.2, dim=1)
    entropy = -(shares * shares.log()).sum(dim=1).mean()
    assert loss(agreeing)["text_to_audio"].item() == pytest.approx(0.5 * entropy.item(), rel=1e-6)
    assert value(loss, given) > value(loss, agreeing)


def test_that_there_may_be_more_texts_than_sounds() -> None:
    given = Batch(unit(7, 8, 1), unit(3, 8, 2), torch.zeros(7, 3, dtype=torch.bool), torch.rand(7, 3))
    assert torch.isfinite(value(EstimatedCorrespondence(), given))


@pytest.mark.parametrize("name", NAMES)
def test_that_the_order_in_a_batch_does_not_matter(name: str) -> None:
    given, loss = batch(), create_loss(name)
    order = torch.tensor([3, 0, 4, 2, 1])
    moved = Batch(
        given.text[order], given.audio[order], given.matches[order][:, order], given.estimates[order][:, order]
    )
    assert value(loss, moved).item() == pytest.approx(value(loss, given).item(), rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_that_gradients_are_those_of_finite_differences(name: str) -> None:
    given, loss = batch(), create_loss(name, temperature=0.3)

    def of(text: Tensor, audio: Tensor) -> Tensor:
        return value(loss, Batch(text, audio, given.matches, given.estimates))

    inputs = (given.text.clone().requires_grad_(), given.audio.clone().requires_grad_())
    assert torch.autograd.gradcheck(of, inputs)


@pytest.mark.parametrize("name", NAMES)
def test_that_extreme_scores_stay_finite(name: str) -> None:
    text = torch.nn.functional.normalize(torch.ones(4, 8), dim=-1)
    audio = torch.cat([text[:2], -text[2:]]).requires_grad_()
    given = Batch(text, audio, torch.eye(4, dtype=torch.bool), 1e4 * torch.eye(4))
    found = value(create_loss(name, temperature=1e-3), given)
    found.backward()
    assert torch.isfinite(found)
    assert audio.grad is not None
    assert torch.isfinite(audio.grad).all()


def test_that_a_batch_without_any_match_is_refused() -> None:
    given = batch()
    with pytest.raises(ValueError, match="no pair"):
        NtXent()(Batch(given.text, given.audio, torch.zeros(5, 5, dtype=torch.bool), given.estimates))


@pytest.mark.parametrize("name", NAMES)
def test_that_a_temperature_of_zero_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="above 0"):
        create_loss(name, temperature=0.0)


def test_that_unheard_texts_pay_for_every_score_above_the_margin_by_hand() -> None:
    expected = sum(math.log1p(math.exp((entry - 0.5) / 0.1)) for row in SCORES for entry in row) / 9
    assert Unheard(temperature=0.1, margin=0.5)(by_hand(SCORES))["score"].item() == pytest.approx(expected, rel=1e-5)


@pytest.fixture(scope="module")
def reference(corpus_folder: Path) -> tuple[Batch, dict[str, np.ndarray]]:
    """Features by the recipe of the reference outputs beside the corpus, and these outputs."""
    with np.load(corpus_folder.parent / "golden" / "retrieval-losses.npz") as stored:
        outputs = {name: stored[name] for name in stored.files}
    rng, rows, dimension = np.random.default_rng(1), 12, 16
    audio = rng.standard_normal((rows, dimension)).astype(np.float32)
    text = (0.6 * audio + 0.8 * rng.standard_normal((rows, dimension))).astype(np.float32)
    cosines = []
    for _ in range(3):
        teacher_audio = audio + np.float32(0.3) * rng.standard_normal((rows, dimension)).astype(np.float32)
        teacher_text = text + np.float32(0.3) * rng.standard_normal((rows, dimension)).astype(np.float32)
        cosines.append(at_unit_length(teacher_text) @ at_unit_length(teacher_audio).T)
    estimates = torch.from_numpy(np.mean(cosines, axis=0))
    given = Batch(
        torch.from_numpy(at_unit_length(text)),
        torch.from_numpy(at_unit_length(audio)),
        torch.eye(rows, dtype=torch.bool),
        estimates,
    )
    return given, outputs


def at_unit_length(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (NtXent(temperature=0.05), "nt_xent_multi_positive_tau005"),
        (EstimatedCorrespondence(temperature=0.05, teacher_temperature=0.05), "distillation_tau005"),
    ],
)
@pytest.mark.parametrize("shared", [False, True])
def test_that_both_losses_are_those_of_the_reference_code(
    loss: torch.nn.Module, name: str, shared: bool, reference: tuple[Batch, dict[str, np.ndarray]]
) -> None:
    given, outputs = reference
    owners = torch.tensor([0, 1, 2, 2, 4, 5, 6, 2, 8, 8, 10, 11]) if shared else torch.arange(12)
    matches = owners[:, None] == owners[None, :]
    found = value(loss, Batch(given.text, given.audio, matches, given.estimates)).item()
    assert found == pytest.approx(float(outputs[f"{name}_shared_audio" if shared else name]), rel=1e-4)


def test_that_the_diagonal_alone_is_what_one_sound_per_text_gives() -> None:
    given = by_hand(SCORES)
    found = NtXent(temperature=1.0, positives="diagonal")(given)
    assert {name: part.item() for name, part in found.items()} == pytest.approx(
        {name: part.item() for name, part in NtXent(temperature=1.0)(given).items()}
    )


def test_that_captions_of_the_same_sound_can_be_left_out_of_the_denominators() -> None:
    given = by_hand(SCORES)
    matches = given.matches.clone()
    matches[0, 1] = matches[1, 0] = True
    batch = Batch(given.text, given.audio, matches, given.estimates)
    kept = NtXent(temperature=1.0, positives="diagonal")(batch)
    left_out = NtXent(temperature=1.0, positives="diagonal", exclude_same_audio=True)(batch)
    rows = given.text @ given.audio.T
    by_hand_rows = [rows[0, [0, 2]].logsumexp(0) - rows[0, 0], rows[1, [1, 2]].logsumexp(0) - rows[1, 1]]
    by_hand_rows.append(rows[2].logsumexp(0) - rows[2, 2])
    assert left_out["text_to_audio"].item() == pytest.approx(0.5 * sum(by_hand_rows).item() / 3, rel=1e-5)
    assert left_out["text_to_audio"] < kept["text_to_audio"]


def test_that_positives_cannot_be_left_out() -> None:
    with pytest.raises(ValueError, match="left out"):
        NtXent(exclude_same_audio=True)
