"""Losses over pairs: by hand on 3 x 3 cosines, by finite differences, and by what must hold whatever the numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from training.losses import LOSSES, Batch, NtXent, create_loss
from training.losses.info_nce import InfoNce
from training.losses.sigmoid import SigmoidLoss
from training.losses.triplet_max import TripletMax
from training.losses.triplet_sum import TripletSum
from training.losses.triplet_weighted import TripletWeighted
from training.losses.weighted_sum import WeightedSum, teacher_agreement
from training.optim import OptimiserConfig, create_optimiser, decay_groups

# Rows are texts, columns sounds.
COSINES = [[0.9, 0.8, 0.1], [0.3, 0.6, 0.5], [0.2, 0.7, 0.4]]
PAIR_LOSSES = {
    "triplet-sum": TripletSum,
    "triplet-max": TripletMax,
    "triplet-weighted": TripletWeighted,
    "triplet-weighted-published": lambda: TripletWeighted(published=True),
    "info-nce": InfoNce,
    "info-nce-from-audio": lambda: InfoNce(direction="audio_to_text"),
    "info-nce-excluding": lambda: InfoNce(exclude_same_audio=True),
    "nt-xent": NtXent,
    "sigmoid": SigmoidLoss,
    "sigmoid-diagonal": lambda: SigmoidLoss(diagonal=True),
}
every_loss = pytest.mark.parametrize("name", PAIR_LOSSES)


def batch_of(cosines, same: tuple[tuple[int, int], ...] = ()) -> Batch:
    """A batch whose cosines are these: the sounds are unit vectors, the texts their rows."""
    scores = torch.tensor(cosines)
    matches = torch.eye(len(scores), dtype=torch.bool)
    for i, j in same:
        matches[i, j] = matches[j, i] = True
    return Batch(text=scores, audio=torch.eye(len(scores)), matches=matches, estimates=scores)


def random_batch(pairs: int = 6, seed: int = 0, dtype: torch.dtype = torch.float64) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    text, audio = (normalize(torch.randn(pairs, 5, generator=generator, dtype=torch.float64), dim=-1) for _ in range(2))
    ids = torch.arange(pairs)
    ids[1] = ids[0]
    return Batch(text.to(dtype), audio.to(dtype), ids[:, None] == ids, (text @ audio.T).to(dtype))


def total(parts: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(parts.values())).sum()


def value(loss, batch: Batch) -> float:
    return float(total(loss(batch)).detach())


def test_that_triplet_sum_is_as_counted_by_hand():
    parts = TripletSum()(batch_of(COSINES))
    # Text 0: .2 + .8 - .9; text 1: .2 + .5 - .6; text 2: .2 + .7 - .4 and .2 + .2 - .4.
    assert float(parts["text_to_audio"]) == pytest.approx((0.1 + 0.1 + 0.5 + 0.0) / 3)
    # Sound 0: none; sound 1: .2 + .8 - .6 and .2 + .7 - .6; sound 2: .2 + .5 - .4.
    assert float(parts["audio_to_text"]) == pytest.approx((0.4 + 0.3 + 0.3) / 3)


def test_that_triplet_max_is_as_counted_by_hand():
    parts = TripletMax()(batch_of(COSINES))
    assert float(parts["text_to_audio"]) == pytest.approx((0.1 + 0.1 + 0.5) / 3)
    assert float(parts["audio_to_text"]) == pytest.approx((0.4 + 0.3) / 3)


def attracted(s: float) -> float:
    return 0.2 * s * s - 0.7 * s + 0.5


def repelled(n: float) -> float:
    return 0.9 * n * n - 0.4 * n + 0.03


def test_that_triplet_weighted_is_as_counted_by_hand():
    anchors = {
        "text_to_audio": [(0.9, 0.8), (0.6, 0.5), (0.4, 0.7)],
        "audio_to_text": [(0.9, 0.3), (0.6, 0.8), (0.4, 0.5)],
    }
    paper, code = TripletWeighted()(batch_of(COSINES)), TripletWeighted(published=True)(batch_of(COSINES))
    for name, pairs in anchors.items():
        expected = sum(max(0.0, attracted(s) + repelled(n)) for s, n in pairs) / 3
        assert float(paper[name]) == pytest.approx(expected)
        # Sound 0 has no negative above .9 - .2 and is skipped.
        taken = sum(max(0.0, attracted(s)) + max(0.0, repelled(n)) for s, n in pairs if n > s - 0.2) / 3
        assert float(code[name]) == pytest.approx(taken)
    assert float(paper["audio_to_text"]) != pytest.approx(float(code["audio_to_text"]))


def test_that_info_nce_is_as_counted_by_hand():
    loss = InfoNce(temperature=0.5)(batch_of(COSINES))["text_to_audio"]
    expected = sum(
        -math.log(math.exp(row[i] / 0.5) / sum(math.exp(s / 0.5) for s in row)) for i, row in enumerate(COSINES)
    )
    assert float(loss) == pytest.approx(expected / 3)
    columns = list(zip(*COSINES, strict=True))
    loss = InfoNce(temperature=0.5, direction="audio_to_text")(batch_of(COSINES))["audio_to_text"]
    expected = sum(
        -math.log(math.exp(row[i] / 0.5) / sum(math.exp(s / 0.5) for s in row)) for i, row in enumerate(columns)
    )
    assert float(loss) == pytest.approx(expected / 3)


def test_that_both_directions_of_info_nce_are_nt_xent():
    batch = batch_of(COSINES)
    both = sum(value(InfoNce(direction=d), batch) for d in ("text_to_audio", "audio_to_text")) / 2
    assert both == pytest.approx(value(NtXent(), batch), rel=1e-6)


def test_that_the_sigmoid_loss_is_as_counted_by_hand():
    parts = SigmoidLoss(log_scale=0.5, bias=-1.0)(batch_of(COSINES, same=((1, 2),)))
    matching = other = 0.0
    for i, row in enumerate(COSINES):
        for j, s in enumerate(row):
            logit = math.exp(0.5) * s - 1.0
            if i == j or {i, j} == {1, 2}:
                matching += math.log1p(math.exp(-logit))
            else:
                other += math.log1p(math.exp(logit))
    assert float(parts["matching"].detach()) == pytest.approx(matching / 3)
    assert float(parts["other"].detach()) == pytest.approx(other / 3)


def test_that_captions_of_one_sound_are_no_negatives_of_each_other():
    alone, shared = batch_of(COSINES), batch_of(COSINES, same=((0, 1), (1, 2)))
    # Text 1 has only its own sound left, text 0 only sound 2, text 2 only sound 0.
    assert float(TripletSum()(shared)["text_to_audio"]) == pytest.approx(0.0, abs=1e-7)
    assert value(TripletMax(), shared) < value(TripletMax(), alone)
    excluding = InfoNce(temperature=0.5, exclude_same_audio=True)(shared)["text_to_audio"]
    expected = (math.log1p(math.exp(-0.8 / 0.5)) + 0.0 + math.log1p(math.exp(-0.2 / 0.5))) / 3
    assert float(excluding) == pytest.approx(expected)
    assert value(InfoNce(), shared) == value(InfoNce(), alone)


@every_loss
def test_that_an_anchor_without_negatives_is_harmless(name):
    everything_matches = batch_of(COSINES, same=((0, 1), (1, 2), (0, 2)))
    text = everything_matches.text.clone().requires_grad_()
    batch = Batch(text, everything_matches.audio, everything_matches.matches, everything_matches.estimates)
    loss = total(PAIR_LOSSES[name]()(batch))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(text.grad).all()


@every_loss
def test_that_gradients_are_those_of_finite_differences(name):
    loss = PAIR_LOSSES[name]().double()
    batch = random_batch()

    def from_features(text, audio):
        return total(loss(Batch(text, audio, batch.matches, batch.estimates)))

    inputs = (batch.text.clone().requires_grad_(), batch.audio.clone().requires_grad_())
    assert torch.autograd.gradcheck(from_features, inputs, atol=1e-6)


def test_that_the_learned_numbers_of_the_sigmoid_loss_get_their_gradient():
    loss = SigmoidLoss().double()
    batch = random_batch()

    def from_numbers(log_scale, bias):
        return total(torch.func.functional_call(loss, {"log_scale": log_scale, "bias": bias}, (batch,)))

    numbers = [p.detach().clone().requires_grad_() for p in (loss.log_scale, loss.bias)]
    assert torch.autograd.gradcheck(from_numbers, numbers)
    assert SigmoidLoss.parameter_learning_rate == 0.1


@every_loss
def test_that_the_order_of_the_pairs_does_not_matter(name):
    batch, loss = random_batch(), PAIR_LOSSES[name]()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    moved = Batch(
        batch.text[order], batch.audio[order], batch.matches[order][:, order], batch.estimates[order][:, order]
    )
    assert value(loss, moved) == pytest.approx(value(loss, batch), rel=1e-9)


@pytest.mark.parametrize("name", [name for name in PAIR_LOSSES if not name.startswith("info-nce")])
def test_that_texts_and_sounds_may_change_places(name):
    batch, loss = random_batch(), PAIR_LOSSES[name]()
    mirrored = Batch(batch.audio, batch.text, batch.matches.T, batch.estimates.T)
    assert value(loss, mirrored) == pytest.approx(value(loss, batch), rel=1e-9)


def test_that_scaling_cosines_and_temperature_alike_changes_nothing():
    batch = random_batch()
    doubled = Batch(2 * batch.text, batch.audio, batch.matches, batch.estimates)
    for make in (InfoNce, NtXent, lambda temperature: SigmoidLoss(temperature=temperature)):
        assert value(make(temperature=0.2), doubled) == pytest.approx(value(make(temperature=0.1), batch), rel=1e-6)


@every_loss
def test_that_a_better_batch_costs_less(name):
    loss = PAIR_LOSSES[name]()
    aligned = batch_of([[1.0, -0.5, -0.5], [-0.5, 1.0, -0.5], [-0.5, -0.5, 1.0]])
    crossed = batch_of([[-0.5, 1.0, -0.5], [-0.5, -0.5, 1.0], [1.0, -0.5, -0.5]])
    assert value(loss, aligned) < value(loss, crossed)


@pytest.mark.parametrize("name", [name for name in PAIR_LOSSES if name != "nt-xent"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_that_half_precision_stays_finite_and_near(name, dtype):
    loss = PAIR_LOSSES[name]()
    exact = value(loss, random_batch(64, dtype=torch.float32))
    half = value(loss, random_batch(64, dtype=dtype))
    assert half == pytest.approx(exact, rel=0.03, abs=0.01)


@pytest.mark.parametrize("name", [name for name in PAIR_LOSSES if name != "nt-xent"])
@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (Batch(torch.zeros(0, 4), torch.zeros(0, 4), torch.zeros(0, 0).bool(), torch.zeros(0, 0)), "as many features"),
        (Batch(torch.zeros(3, 4), torch.zeros(2, 4), torch.ones(3, 2).bool(), torch.zeros(3, 2)), "as many features"),
        (Batch(torch.zeros(2, 4), torch.zeros(2, 4), torch.ones(2, 3).bool(), torch.zeros(2, 2)), "boolean matches"),
        (Batch(torch.zeros(2, 4), torch.zeros(2, 4), torch.ones(2, 2), torch.zeros(2, 2)), "boolean matches"),
        (Batch(torch.zeros(2, 4), torch.zeros(2, 4), torch.zeros(2, 2).bool(), torch.zeros(2, 2)), "text i must match"),
    ],
)
def test_that_batches_that_are_no_pairs_are_refused(name, batch, message):
    with pytest.raises(ValueError, match=message):
        PAIR_LOSSES[name]()(batch)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TripletSum(margin=-0.1),
        lambda: InfoNce(temperature=0.0),
        lambda: InfoNce(direction="sideways"),
        lambda: SigmoidLoss(temperature=0.0),
        lambda: TripletWeighted(positive=()),
        lambda: WeightedSum(losses={"a": NtXent()}, weights={"b": 1.0}),
        lambda: WeightedSum(losses={"a": NtXent()}, weights={"a": 0.0}),
        lambda: teacher_agreement([]),
        lambda: teacher_agreement([(torch.ones(2, 3), torch.ones(2, 3)), (torch.ones(3, 3), torch.ones(2, 3))]),
    ],
)
def test_that_settings_that_make_no_sense_are_refused(make):
    with pytest.raises(ValueError, match=r"margin|temperature|direction|polynomial|weight|teacher"):
        make()


@pytest.mark.parametrize(
    "name",
    [
        "triplet-sum",
        "triplet-max",
        "triplet-weighted",
        "info-nce",
        "sigmoid",
        "hci",
        "text-caption-matching",
        "caption-cross-entropy",
        "nt-xent",
        "estimated-correspondence",
    ],
)
def test_that_losses_are_made_by_name(name):
    assert isinstance(create_loss(name), LOSSES[name])


def test_that_agreement_is_the_mean_cosine_without_gradient():
    first = (torch.tensor([[2.0, 0.0]], requires_grad=True), torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
    second = (torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    agreement = teacher_agreement([first, second])
    assert agreement.tolist() == [[0.5, 0.5]]
    assert not agreement.requires_grad


def test_that_an_optimiser_learns_the_numbers_of_the_sigmoid_loss_at_their_own_rate():
    loss = WeightedSum(losses={"sigmoid": SigmoidLoss(), "nt-xent": NtXent()}, weights={"sigmoid": 1.0, "nt-xent": 1.0})
    config = OptimiserConfig(learning_rate=2e-5, weight_decay=0.5)
    layer = torch.nn.Linear(5, 5)
    optimiser = create_optimiser([*decay_groups("layer", layer), *decay_groups("loss", loss)], config)
    rates = {id(p): (g["lr"], g["weight_decay"]) for g in optimiser.param_groups for p in g["params"]}
    sigmoid = loss.losses["sigmoid"]
    assert rates[id(sigmoid.log_scale)] == rates[id(sigmoid.bias)] == (0.1, 0.0)
    assert rates[id(layer.weight)] == (2e-5, 0.5)
    before = float(sigmoid.bias.detach())
    total(loss(random_batch(dtype=torch.float32))).backward()
    optimiser.step()
    # Adam's first step is as long as the learning rate.
    assert abs(float(sigmoid.bias.detach()) - before) == pytest.approx(0.1, rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["nt-xent", "estimated-correspondence", "unheard"])
def test_that_losses_over_tables_are_safe_in_half_precision(name, dtype):
    loss, exact = create_loss(name), random_batch(64, dtype=torch.float32)
    half = total(loss(random_batch(64, dtype=dtype)))
    assert half.dtype == torch.float32
    assert float(half) == pytest.approx(value(loss, exact), rel=0.03, abs=0.01)


@pytest.mark.parametrize("name", ["nt-xent", "estimated-correspondence", "unheard"])
@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (Batch(torch.zeros(0, 4), torch.zeros(2, 4), torch.zeros(0, 2).bool(), torch.zeros(0, 2)), "at least one"),
        (
            Batch(torch.ones(2, 4), torch.ones(2, 5), torch.ones(2, 2).bool(), torch.ones(2, 2)),
            r"\(2, 4\) and \(2, 5\)",
        ),
        (Batch(torch.ones(2, 4), torch.ones(3, 4), torch.ones(3, 2).bool(), torch.ones(2, 3)), r"matches \(2, 3\)"),
        (Batch(torch.ones(2, 4), torch.ones(3, 4), torch.ones(2, 3).bool(), torch.ones(3, 2)), r"estimates \(2, 3\)"),
        (Batch(torch.ones(2, 4), torch.ones(3, 4), torch.ones(2, 3), torch.ones(2, 3)), "boolean matches"),
    ],
)
def test_that_tables_of_other_shapes_are_refused(name, batch, message):
    with pytest.raises(ValueError, match=message):
        create_loss(name)(batch)


def test_that_a_teacher_is_read_at_the_students_temperature_unless_told_otherwise():
    assert create_loss("estimated-correspondence", temperature=0.07).teacher_temperature == 0.07
