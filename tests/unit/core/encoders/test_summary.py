"""What the blocks of EfficientAT see on the way, as the shipped model's head is told of it."""

from __future__ import annotations

import pytest
import torch
from small_model import drawn_encoder

from core.encoders.efficientat import MobileNetTrunk
from core.encoders.folded import FoldedMobileNet

TAPS = (2, 9)


@pytest.fixture(scope="module")
def trunk() -> MobileNetTrunk:
    tapped = MobileNetTrunk(width=0.4, taps=TAPS, mel_summary=True).eval()
    tapped.load_state_dict(drawn_encoder(0.4).trunk.state_dict())
    return tapped


def _mel(frames: int) -> torch.Tensor:
    return torch.randn(1, frames, 128, generator=torch.Generator().manual_seed(frames))


def test_that_without_taps_a_summary_is_the_embedding() -> None:
    plain = drawn_encoder(0.4).trunk
    with torch.inference_mode():
        summary, logits = plain.summarise(_mel(200))
        embedding, _, expected = plain(_mel(200))
    assert plain.summary_dimension == plain.dimension
    torch.testing.assert_close(summary, embedding)
    torch.testing.assert_close(logits, expected)


def test_that_a_summary_holds_what_tapped_blocks_and_mel_bins_do_over_time(trunk: MobileNetTrunk) -> None:
    seen: list[torch.Tensor] = []
    hooks = [
        trunk.blocks[tap].register_forward_hook(lambda _module, _inputs, output: seen.append(output)) for tap in TAPS
    ]
    with torch.inference_mode():
        summary, _ = trunk.summarise(mel := _mel(200))
    for hook in hooks:
        hook.remove()
    expected = [part.flatten(1) for maps in seen for part in (maps.mean(3), maps.std(3, correction=0))]
    expected += [mel.mean(1), mel.std(1, correction=0), mel.amax(1)]
    assert summary.shape == (1, trunk.summary_dimension)
    torch.testing.assert_close(summary[:, trunk.dimension :], torch.cat(expected, dim=1))


def test_that_padding_does_not_change_a_summary(trunk: MobileNetTrunk) -> None:
    short, long = _mel(120), _mel(320)
    batch = torch.zeros(2, 320, 128)
    batch[0, :120], batch[1] = short[0], long[0]
    with torch.inference_mode():
        together, _ = trunk.summarise(batch, torch.tensor([120, 320]))
        alone = torch.cat([trunk.summarise(short)[0], trunk.summarise(long)[0]])
    assert float((together - alone).abs().max()) < 1e-4 * float(alone.abs().max())


def test_that_the_folded_network_gives_the_same_summary(trunk: MobileNetTrunk) -> None:
    with torch.inference_mode():
        expected, expected_logits = trunk.summarise(_mel(320))
    summary, logits = FoldedMobileNet(trunk)(_mel(320))
    scale = float(expected.abs().max())
    assert float((summary - expected).abs().max()) < 1e-4 * scale
    assert float((logits - expected_logits).abs().max()) < 1e-4 * float(expected_logits.abs().max())
