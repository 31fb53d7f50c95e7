"""Audio encoders by name.

Every encoder that `create_encoder` returns is an `nn.Module` whose `forward(waveform (b, n), lengths (b,) | None)`
gives an `EncoderOutput`, and for which a clip alone and the same clip padded in a batch agree.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from core.encoders.checkpoint import LoadReport
    from core.encoders.output import EncoderOutput


class AudioEncoder(Protocol):
    """What search, training and the other tasks may rely on in an audio encoder (an `nn.Module`)."""

    @property
    def sample_rate_hz(self) -> int:
        """The rate of the waveforms that it takes."""
        ...

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        ...

    def __call__(self, waveform: Tensor, lengths: Tensor | None = None) -> EncoderOutput:
        """Encode clips (b, n), of which `lengths` (b,) samples each are no padding."""
        ...

    def load_official(self, state: Mapping[str, Tensor], *, strict: bool = True) -> LoadReport:
        """Take over a published checkpoint by its own names, and say what was missing or left over."""
        ...


class UnknownEncoderError(ModelError):
    """No encoder has this name."""


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """One architecture in the registry.

    Attributes:
        name: Kebab-case name.
        build: Makes the module from keyword arguments.
        options: Keyword arguments that belong to the name.
        sample_rate_hz: Rate of its waveforms.
        dimension: Length of its embedding.
        paper: Who described it.
        source: Where official checkpoints come from.
        licence: Of those checkpoints, as far as is known.
        licence_basis: Where that is written, or that nobody has looked it up at its source.
    """

    name: str
    build: Callable[..., nn.Module]
    sample_rate_hz: int
    dimension: int
    paper: str
    source: str
    licence: str
    licence_basis: str
    options: Mapping[str, Any] = field(default_factory=dict)


def _mobile_net(**options: Any) -> nn.Module:
    from core.encoders.efficientat import MobileNetEncoder

    return MobileNetEncoder(**options)


def _efficientat(name: str, width: float, dimension: int) -> EncoderConfig:
    return EncoderConfig(
        name=name,
        build=_mobile_net,
        options={"width": width},
        sample_rate_hz=32000,
        dimension=dimension,
        paper="Schmid, Koutini, Widmer: Efficient large-scale audio tagging via transformer-to-CNN "
        "knowledge distillation, ICASSP 2023",
        source="github.com/fschmid56/EfficientAT",
        licence="MIT",
        licence_basis="The LICENSE file of the repository, which does not speak of the weights by themselves.",
    )


def _panns_encoder(**options: Any) -> nn.Module:
    from core.encoders.panns import PannsEncoder

    return PannsEncoder(**options)


def _panns(name: str, dimension: int, **options: Any) -> EncoderConfig:
    return EncoderConfig(
        name=name,
        build=_panns_encoder,
        options=options,
        sample_rate_hz=32000,
        dimension=dimension,
        paper="Kong, Cao, Iqbal, Wang, Wang, Plumbley: PANNs: Large-scale pretrained audio neural networks for "
        "audio pattern recognition, IEEE/ACM TASLP 28, 2020",
        source="zenodo.org/records/3987831",
        licence="CC-BY-4.0",
        licence_basis="A mirror of the record names it; not read at the record itself.",
    )


def _conv_next(**options: Any) -> nn.Module:
    from core.encoders.convnext import ConvNextEncoder

    return ConvNextEncoder(**options)


_CONVNEXT = EncoderConfig(
    name="convnext-tiny",
    build=_conv_next,
    sample_rate_hz=32000,
    dimension=768,
    paper="Pellegrini, Khalfaoui-Hassani, Labbé, Masquelier: Adapting a ConvNeXt model to audio classification on "
    "AudioSet, Interspeech 2023",
    source="zenodo.org/records/8020843, zenodo.org/records/10987498",
    licence="MIT",
    licence_basis="The authors' model card of ConvNeXt-Tiny-AT; what the Zenodo records say was not read.",
)


def _passt_encoder(**options: Any) -> nn.Module:
    from core.encoders.passt import PasstEncoder

    return PasstEncoder(**options)


_PASST = EncoderConfig(
    name="passt-s-p16-s16-128-ap468",
    build=_passt_encoder,
    sample_rate_hz=32000,
    dimension=768,
    paper="Koutini, Schlüter, Eghbal-zadeh, Widmer: Efficient training of audio transformers with patchout, "
    "Interspeech 2022",
    source="github.com/kkoutini/PaSST",
    licence="Apache-2.0",
    licence_basis="Unverified: not found in any text at hand. Ask at the source before passing the weights on.",
)


def _atst_frame(**options: Any) -> nn.Module:
    from core.encoders.atst import AtstFrameEncoder

    return AtstFrameEncoder(**options)


_ATST = EncoderConfig(
    name="atst-frame",
    build=_atst_frame,
    sample_rate_hz=16000,
    dimension=768,
    paper="Li, Shao, Li: Self-supervised audio teacher-student transformer for both clip-level and frame-level "
    "tasks, IEEE/ACM TASLP 32, 2024",
    source="github.com/Audio-WestlakeU/audiossl",
    licence="MIT",
    licence_basis="The LICENSE file of the repository, which includes the checkpoints that it links to.",
)


_CONFIGS = {
    config.name: config
    for config in (
        _efficientat("mn04", 0.4, 384),
        _efficientat("mn10", 1.0, 960),
        _efficientat("mn40", 4.0, 3840),
        _panns("cnn10", 512, network="cnn10"),
        _panns("cnn14", 2048, network="cnn14"),
        # CNN14 as Mei et al. 2022 and Xin and Zou 2023 have it.
        _panns("cnn14-mei", 2048, network="cnn14", last_pool=2),
        _panns("resnet38", 2048, network="resnet38"),
        _CONVNEXT,
        _PASST,
        _ATST,
    )
}


def encoder_names() -> tuple[str, ...]:
    """All names, sorted."""
    return tuple(sorted(_CONFIGS))


def encoder_config(name: str) -> EncoderConfig:
    """Look an architecture up.

    Raises:
        UnknownEncoderError: No such name; the message tells near ones.
    """
    try:
        return _CONFIGS[name]
    except KeyError:
        near = difflib.get_close_matches(name.lower(), _CONFIGS, n=3, cutoff=0.4)
        way_out = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(encoder_names())}."
        raise UnknownEncoderError(f"There is no audio encoder named {name!r}.", way_out) from None


def create_encoder(name: str, **options: Any) -> nn.Module:
    """Build an encoder with fresh parameters.

    Args:
        name: A name of `encoder_names()`.
        **options: Keyword arguments of the architecture beyond those that its name stands for.

    Raises:
        UnknownEncoderError: No such name.
    """
    config = encoder_config(name)
    return config.build(**{**config.options, **options})
