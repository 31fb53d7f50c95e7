"""Values that the published code gives, on inputs drawn anew from a seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference_parameters import shared_folder
from torch.nn.functional import normalize

from training.losses import Batch, EstimatedCorrespondence, NtXent
from training.losses.info_nce import InfoNce
from training.losses.sigmoid import SigmoidLoss
from training.losses.triplet_max import TripletMax
from training.losses.triplet_sum import TripletSum
from training.losses.triplet_weighted import TripletWeighted
from training.losses.weighted_sum import WeightedSum, teacher_agreement

PAIRS = 12
KNOWN = {
    "triplet_sum": 0.21091239,
    "triplet_max": 0.1581112,
    "triplet_weighted": 0.25420576,
    "nt_xent_diagonal_tau007": 0.4134446,
    "nt_xent_multi_positive_tau005": 0.442667,
    "distillation_tau005": 0.44665587,
    "triplet_sum_shared_audio": 0.19629765,
    "triplet_max_shared_audio": 0.1581112,
    "triplet_weighted_shared_audio": 0.25420576,
    "nt_xent_diagonal_tau007_shared_audio": 0.4134446,
    "nt_xent_multi_positive_tau005_shared_audio": 5.185312,
    "distillation_tau005_shared_audio": 0.44665587,
}


def golden_batch(shared: bool, diagonal: bool = False) -> Batch:
    rng = np.random.default_rng(1)
    size = (PAIRS, 16)
    audio = np.float32(rng.standard_normal(size))
    text = np.float32(0.6 * audio + 0.8 * rng.standard_normal(size))

    def noisy(features):
        return torch.from_numpy(features + 0.3 * np.float32(rng.standard_normal(size)))

    teachers = []
    for _ in range(3):
        teacher_audio = noisy(audio)
        teachers.append((noisy(text), teacher_audio))
    ids = np.arange(PAIRS)
    if shared:
        ids[[3, 7]] = ids[2]
        ids[9] = ids[8]
    matches = torch.eye(PAIRS, dtype=torch.bool) if diagonal else torch.from_numpy(ids[:, None] == ids)
    return Batch(
        text=normalize(torch.from_numpy(text), dim=-1),
        audio=normalize(torch.from_numpy(audio), dim=-1),
        matches=matches,
        estimates=teacher_agreement(teachers),
    )


def losses_by_name(suffix: str) -> dict[str, float]:
    shared = bool(suffix)
    batch, diagonal = golden_batch(shared), golden_batch(shared, diagonal=True)
    both_ways = [InfoNce(temperature=0.07, direction=d) for d in ("text_to_audio", "audio_to_text")]
    told = {
        "triplet_sum": value(TripletSum(), batch),
        "triplet_max": value(TripletMax(), batch),
        "triplet_weighted": value(TripletWeighted(published=True), batch),
        "nt_xent_diagonal_tau007": sum(value(loss, batch) for loss in both_ways) / 2,
        "nt_xent_multi_positive_tau005": value(NtXent(temperature=0.05), batch),
        "distillation_tau005": value(EstimatedCorrespondence(temperature=0.05, teacher_temperature=0.05), batch),
    }
    assert told["nt_xent_diagonal_tau007"] == pytest.approx(value(NtXent(temperature=0.07), diagonal), abs=1e-6)
    return {name + suffix: figure for name, figure in told.items()}


def value(loss, batch) -> float:
    return float(sum(loss(batch).values()).detach())


@pytest.mark.parametrize("suffix", ["", "_shared_audio"])
def test_that_losses_are_those_of_the_published_code(suffix):
    for name, figure in losses_by_name(suffix).items():
        assert figure == pytest.approx(KNOWN[name], abs=1e-5), name


@pytest.mark.corpus
def test_that_the_known_figures_are_those_of_the_reference_file():
    with np.load(shared_folder() / "golden" / "retrieval-losses.npz") as golden:
        assert set(golden.files) == set(KNOWN)
        for name, figure in KNOWN.items():
            assert figure == pytest.approx(float(np.ravel(golden[name])[0]), abs=1e-6)


@pytest.mark.parametrize(("temperature", "expected"), [(0.05, 108.80537), (1.0, 11.033975)])
def test_that_the_sigmoid_loss_is_that_of_the_published_code(temperature, expected):
    cosines = torch.from_numpy(2 * np.random.default_rng(1).random((8, 8)) - 1).float()
    same = torch.eye(8)
    batch = Batch(text=cosines, audio=same, matches=same.bool(), estimates=cosines)
    assert value(SigmoidLoss(temperature=temperature), batch) == pytest.approx(expected, rel=1e-6)


@pytest.mark.corpus
def test_that_the_known_sigmoid_figures_are_those_of_the_reference_file():
    with np.load(shared_folder() / "golden" / "sigmoid-loss.npz") as golden:
        assert float(golden["on_C_over_tau"]) == pytest.approx(108.80537, abs=1e-4)
        assert float(golden["on_C"]) == pytest.approx(11.033975, abs=1e-5)


def test_that_stage_two_is_the_weighted_sum_of_both_losses():
    batch = golden_batch(shared=True)
    both = WeightedSum(
        losses={
            "supervised": NtXent(temperature=0.05),
            "estimated": EstimatedCorrespondence(temperature=0.05, teacher_temperature=0.05),
        },
        weights={"supervised": 0.25, "estimated": 2.0},
    )
    expected = 0.25 * KNOWN["nt_xent_multi_positive_tau005_shared_audio"] + 2 * KNOWN["distillation_tau005"]
    assert value(both, batch) == pytest.approx(expected, abs=1e-5)
    assert set(both(batch)) == {
        f"{name}/{part}" for name in ("supervised", "estimated") for part in ("text_to_audio", "audio_to_text")
    }
