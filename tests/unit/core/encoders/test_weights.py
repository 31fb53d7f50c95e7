"""Whether tensors come back from a file as what was put into it, or nearly so."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load, save

from core.encoders.weights import pack_weights, unpack_weights


def test_that_tensors_come_back_in_half_precision_and_small_ones_as_they_were() -> None:
    state = {"matrix": torch.randn(4, 5), "bias": torch.randn(5), "steps": torch.arange(3)}
    content = pack_weights(state, least_dimensions=2)
    assert {name: value.dtype for name, value in load(content).items()} == {
        "matrix": torch.float16,
        "bias": torch.float32,
        "steps": torch.int64,
    }
    found = unpack_weights(content)
    torch.testing.assert_close(found["matrix"], state["matrix"].half().float(), atol=0, rtol=0)
    torch.testing.assert_close(found["bias"], state["bias"], atol=0, rtol=0)
    torch.testing.assert_close(found["steps"], state["steps"])


def test_that_eight_bits_keep_every_row_to_a_hundredth_of_its_largest_number() -> None:
    matrix = torch.randn(40, 300) * torch.logspace(-3, 3, 40)[:, None]
    matrix[7] = 0.0
    state = {"words": matrix, "words.scale": torch.ones(2)}
    content = pack_weights(state, eight_bits=["words", "not there"])
    stored = load(content)
    assert stored["words"].dtype == torch.int8
    assert stored["words"].abs().max() <= 127
    found = unpack_weights(content)
    assert set(found) == set(state)
    error = (found["words"] - matrix).abs().amax(dim=1)
    assert (error <= matrix.abs().amax(dim=1) / 100).all()
    assert not found["words"][7].any()


def test_that_what_is_beyond_half_precision_is_refused() -> None:
    for eight_bits in ((), ("large",)):
        with pytest.raises(ValueError, match=r"large.* does not fit"):
            pack_weights({"large": torch.full((2, 2), 1e9)}, eight_bits=eight_bits)


@pytest.mark.parametrize(
    "stored",
    [
        {"words.row_scale": torch.ones(3, 1)},
        {"words": torch.ones(3), "words.row_scale": torch.ones(3, 1)},
        {"words": torch.ones(2, 4), "words.row_scale": torch.ones(3, 1)},
    ],
)
def test_that_scales_without_their_matrix_are_refused(stored: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="words is no matrix"):
        unpack_weights(save(stored))


def test_that_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="header"):
        unpack_weights(b"PK\x03\x04 this is something else entirely")
