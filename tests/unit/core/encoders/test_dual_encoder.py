"""The same sound gives the same embedding, whatever happens around it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from small_model import card_fields, noise, small_parts
from torch import Tensor

from core.encoders.assembly import save_dual_encoder
from core.encoders.dual import TorchDualEncoder
from core.encoders.efficientat import MobileNetEncoder
from core.encoders.load import DEFAULT_MODEL, find_model, load_dual_encoder
from core.encoders.runner import CpuRun, GpuRun, TrunkRunner
from core.encoders.windows import WindowCutter, plan_windows
from core.errors import UnusableFileError
from core.types import FloatArray

SAME = 0.99999


@pytest.fixture(scope="module")
def encoder(pristine_model: Path) -> TorchDualEncoder:
    return load_dual_encoder(pristine_model, device="cpu")


@pytest.fixture(scope="module")
def clips() -> list[FloatArray]:
    rng = np.random.default_rng(5)
    return [np.asarray(0.2 * rng.standard_normal(n), dtype=np.float32) for n in (9000, 32000, 32000, 700, 1, 50000)]


def _cosines(ours: FloatArray, others: FloatArray) -> FloatArray:
    return np.sum(ours * others, axis=1)


def test_that_embeddings_have_unit_length_and_the_cards_dimension(
    encoder: TorchDualEncoder, clips: list[FloatArray]
) -> None:
    for vectors in (encoder.embed_audio(clips), encoder.embed_text(["rain on tin", "", "a dog barks " * 30])):
        assert vectors.dtype == np.float32
        assert vectors.shape[1] == encoder.card.dimension
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)


def test_that_the_batch_makes_no_difference(encoder: TorchDualEncoder, clips: list[FloatArray]) -> None:
    together = encoder.embed_audio(clips)
    alone = np.concatenate([encoder.embed_audio([clip]) for clip in clips])
    assert _cosines(together, alone).min() >= SAME
    backwards = encoder.embed_audio(clips[::-1])[::-1]
    assert _cosines(together, backwards).min() >= SAME
    eight = encoder.embed_audio([clips[1]] * 8)
    assert _cosines(eight, alone[[1] * 8]).min() >= SAME


def test_that_the_batch_makes_no_difference_to_texts(encoder: TorchDualEncoder) -> None:
    texts = ["a dog barks", "rain", "heavy wooden door slams on tin", "rain on tin"] * 12
    together = encoder.embed_text(texts)
    alone = np.concatenate([encoder.embed_text([text]) for text in texts[:4]])
    assert _cosines(together, np.tile(alone, (12, 1))).min() >= SAME


@pytest.mark.usefixtures("torch_threads")
def test_that_the_number_of_threads_makes_no_difference(encoder: TorchDualEncoder, clips: list[FloatArray]) -> None:
    torch.set_num_threads(1)
    one = encoder.embed_audio(clips)
    torch.set_num_threads(2)
    two = encoder.embed_audio(clips)
    assert _cosines(one, two).min() >= SAME


@pytest.mark.usefixtures("torch_threads")
def test_that_embedding_text_leaves_the_number_of_threads_alone(encoder: TorchDualEncoder) -> None:
    torch.set_num_threads(2)
    encoder.embed_text(["rain"])
    assert torch.get_num_threads() == 2


def test_that_workers_at_the_same_time_agree(pristine_model: Path, clips: list[FloatArray]) -> None:
    fresh = load_dual_encoder(pristine_model, device="cpu")
    with ThreadPoolExecutor(4, initializer=fresh.prepare_worker_thread) as pool:
        results = list(pool.map(lambda _: fresh.embed_audio(clips), range(8)))
        assert set(pool.map(lambda _: torch.get_num_threads(), range(4))) == {1}
    for vectors in results[1:]:
        assert _cosines(vectors, results[0]).min() >= SAME


def test_that_another_run_agrees(pristine_model: Path, encoder: TorchDualEncoder, clips: list[FloatArray]) -> None:
    again = load_dual_encoder(pristine_model, device="cpu").embed_audio(clips)
    assert _cosines(again, encoder.embed_audio(clips)).min() >= SAME


def test_that_a_stream_and_a_whole_sound_give_the_same_windows(encoder: TorchDualEncoder) -> None:
    sound = noise(15 * 32000 + 777)[0].numpy()
    whole = encoder.features(sound)
    planned = [whole[start:end] for start, end in plan_windows(len(whole), 1000, 500)]
    stream, cutter = encoder.feature_stream(), WindowCutter(1000, 500)
    cut = []
    for begin in range(0, len(sound), 50000):
        cut += cutter.push(stream.push(sound[begin : begin + 50000]))
    cut += [*cutter.push(stream.finish()), *cutter.finish()]
    assert [start for start, _ in cut] == [0, 500, 503]
    streamed = encoder.embed_features([frames for _, frames in cut])
    assert _cosines(streamed, encoder.embed_features(planned)).min() >= SAME


def test_that_a_long_clip_is_the_mean_of_its_windows(encoder: TorchDualEncoder) -> None:
    sound = noise(12 * 32000)[0].numpy()
    frames = encoder.features(sound)
    mean = encoder.embed_features([frames[:1000], frames[200:]]).sum(axis=0)
    np.testing.assert_allclose(encoder.embed_audio([sound])[0], mean / np.linalg.norm(mean), atol=1e-5)


def test_that_nothing_embeds_to_nothing(encoder: TorchDualEncoder) -> None:
    assert encoder.embed_audio([]).shape == (0, 48)
    assert encoder.embed_text([]).shape == (0, 48)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_that_values_that_are_no_numbers_are_refused(encoder: TorchDualEncoder, value: float) -> None:
    sound = noise(4000)[0].numpy()
    sound[1234] = value
    with pytest.raises(UnusableFileError, match="no numbers"):
        encoder.embed_audio([sound])


def test_that_a_text_query_reads_no_trunk(model_folder: Path, clips: list[FloatArray]) -> None:
    text_only = load_dual_encoder(model_folder, device="cpu")
    (model_folder / "audio.safetensors").unlink()
    assert text_only.embed_text(["rain"]).shape == (1, 48)
    save_dual_encoder(model_folder, small_parts(), card_fields())
    audio_only = load_dual_encoder(model_folder, device="cpu")
    (model_folder / "text.safetensors").unlink()
    assert audio_only.embed_audio(clips[:1]).shape == (1, 48)


class _Gpu:
    """Has room for so many windows at a time, and tells what it was given."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.batches: list[int] = []

    def __call__(self, windows: Sequence[FloatArray]) -> tuple[Tensor, Tensor]:
        self.batches.append(len(windows))
        if len(windows) > self.room:
            raise torch.OutOfMemoryError("no room")
        return _mark(windows, 1.0)


def _mark(windows: Sequence[FloatArray], place: float) -> tuple[Tensor, Tensor]:
    values = torch.tensor([[float(window[0, 0]), place] for window in windows])
    return values, values


def test_that_the_batch_is_halved_until_it_fits_the_gpu() -> None:
    gpu = _Gpu(room=3)
    runner = TrunkRunner(lambda windows: _mark(windows, 0.0), gpu, batch=16)
    windows = [np.full((2, 2), number, dtype=np.float32) for number in range(20)]
    embeddings, logits = runner(windows)
    assert embeddings[:, 0].tolist() == list(range(20))
    assert logits[:, 1].tolist() == [1.0] * 20
    assert gpu.batches[:4] == [16, 8, 4, 2]
    assert set(gpu.batches[3:]) == {2}
    told = [notice.message for notice in runner.take_notices()]
    assert len(told) == 3
    assert "2 windows at a time" in told[-1]
    assert runner.take_notices() == []


def test_that_the_cpu_takes_over_when_not_even_one_window_fits() -> None:
    gpu = _Gpu(room=0)
    runner = TrunkRunner(lambda windows: _mark(windows, 0.0), gpu, batch=2)
    windows = [np.full((2, 2), number, dtype=np.float32) for number in range(5)]
    embeddings, _ = runner(windows)
    assert embeddings.tolist() == [[float(number), 0.0] for number in range(5)]
    runner(windows)
    assert gpu.batches == [2, 1]
    assert "CPU" in runner.take_notices()[-1].message


def _published_trunk(material: Path) -> MobileNetEncoder:
    trunk = MobileNetEncoder(width=0.4).eval()
    trunk.load_official(torch.load(material / "weights" / "mn04_as_mAP_432.pt", weights_only=True))
    return trunk


@pytest.mark.corpus
def test_that_half_precision_and_padding_on_the_gpu_stay_close(material: Path, encoder: TorchDualEncoder) -> None:
    # The code of the GPU, run on the CPU's half precision, which every machine has.
    windows = [encoder.features(noise(samples, seed=samples)[0].numpy()) for samples in (320000, 60000, 1000)]
    exact, exact_logits = CpuRun(_published_trunk(material).trunk)(windows)
    halved, halved_logits = GpuRun(_published_trunk(material).trunk, torch.device("cpu"))(windows)
    assert halved.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(halved, exact).min() > 0.9999
    assert (halved_logits - exact_logits).abs().max() < 0.1


def test_that_a_sound_is_not_lost_when_it_moves_inside_a_longer_file() -> None:
    shipped = load_dual_encoder(find_model(DEFAULT_MODEL).folder, device="cpu")
    rng = np.random.default_rng(0)
    seconds = np.arange(2 * 32000) / 32000
    bell = sum(np.sin(2 * np.pi * hz * seconds) * np.exp(-3 * seconds) for hz in (523.0, 1411.0, 2790.0))
    quiet = 0.0005 * rng.standard_normal(27 * 32000)

    def scores(start_s: float) -> tuple[FloatArray, list[float]]:
        """Of each window against the bell alone, and how many seconds of the bell lie in it."""
        sound = quiet.copy()
        begin = int(start_s * 32000)
        sound[begin : begin + len(bell)] += 0.2 * bell
        frames = shipped.features(sound.astype(np.float32))
        planned = plan_windows(len(frames), 1000, 500)
        windows = shipped.embed_features([frames[a:b] for a, b in planned])
        inside = [max(0.0, min(b / 100, start_s + 2) - max(a / 100, start_s)) for a, b in planned]
        return np.asarray(windows @ shipped.embed_audio([(0.2 * bell).astype(np.float32)])[0]), inside

    for start_s in (10.0, 11.0, 11.5, 12.0, 13.0, 14.0, 19.0):
        found, inside = scores(start_s)
        whole = [score for score, seconds_inside in zip(found, inside, strict=True) if seconds_inside == 2.0]
        without = [score for score, seconds_inside in zip(found, inside, strict=True) if seconds_inside == 0.0]
        assert len(whole) >= 1
        assert min(whole) > max(without) + 0.05
