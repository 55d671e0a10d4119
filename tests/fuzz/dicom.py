"""DICOM files, mutated, through the decoder as an upload meets it: a helper process with limits.

Run by ``make fuzz`` or alone: ``python tests/fuzz/dicom.py --cases 10000 --seed 1``.
"""

from __future__ import annotations

import argparse
import random
import resource
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import dicom_files as files

from gan_core.reading.dicom_header import Limits
from gan_core.reading.dicom_process import DicomDecoders
from gan_core.reading.unreadable import UnreadableError

CODES = {
    "not_an_image",
    "image_too_large",
    "image_unsupported",
    "image_damaged",
    "decoder_ended",
}
SIDE = 32
SECONDS = 20
MEMORY = 2 * 2**30
MOST_SECONDS = SECONDS + 10.0


@dataclass
class Outcome:
    """What became of all cases.

    Attributes:
        cases: How many were tried.
        read: How many were images still.
        codes: Unreadable ones by code.
        ended: Helpers that broke down and were replaced, by the kind of the mutated file.
        slowest: Seconds of the slowest case.
        peak_bytes: Largest resident size that a helper ever had.
        wrong: What must not be: another exception, or more time than a file may take.
    """

    cases: int = 0
    read: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    peak_bytes: int = 0
    wrong: list[str] = field(default_factory=list)

    def told(self) -> list[str]:
        """Say what became of them."""
        size = self.peak_bytes / 2**20
        return [
            f"read all the same: {self.read}; unreadable: {dict(self.codes)}",
            f"helpers that broke down: {dict(self.ended)}",
            f"slowest {self.slowest:.1f} s; largest helper {size:.0f} MiB",
        ]


def originals() -> dict[str, bytes]:
    """Return a sound file of every kind that is read."""
    grey, colour, deep = (
        files.blocks(1),
        files.blocks(2, colour=True),
        files.blocks(3, top=4096),
    )
    many = np.stack([files.blocks(k) for k in range(4)])
    made = {
        "grey": files.dicom_file(grey),
        "colour": files.dicom_file(colour),
        "deep": files.dicom_file(
            deep, BitsStored=12, WindowCenter="2000", WindowWidth="3000", RescaleSlope="2",
            RescaleIntercept="-100",
        ),
        "signed": files.dicom_file(deep.astype(np.int16) - 2000, PixelPaddingValue=-2000),
        "frames": files.dicom_file(many, frames=True),
        "deflated": files.deflated(colour),
        "palette": files.palette_file(grey),
        "functional-groups": files.enhanced_file(),
        "full-header": files.full_of_names()[0],
    }  # fmt: skip
    syntaxes = {
        "rle": files.RLELossless,
        "jpeg": files.JPEG_BASELINE,
        "lossless": files.JPEG_LOSSLESS,
        "lossless-70": files.JPEG_LOSSLESS_FIRST_ORDER,
        "jpeg-ls": files.JPEG_LS,
        "jpeg-ls-near": files.JPEG_LS_NEAR,
        "j2k": files.JPEG_2000_LOSSLESS,
        "j2k-lossy": files.JPEG_2000,
    }
    for name, syntax in syntaxes.items():
        made[f"{name}-grey"] = files.compressed(grey, syntax)
        made[f"{name}-colour"] = files.compressed(colour, syntax)
        if name != "jpeg":
            made[f"{name}-deep"] = files.compressed(deep, syntax, BitsStored=12)
    return made


def _flip(data: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        data[chance.randrange(132, len(data))] ^= 1 << chance.randrange(8)
    return data


def _overwrite(data: bytearray, chance: random.Random) -> bytearray:
    size = chance.choice((1, 2, 4, 16))
    at = chance.randrange(132, max(133, len(data) - size))
    data[at : at + size] = chance.choice((bytes(size), b"\xff" * size, chance.randbytes(size)))
    return data


def _cut(data: bytearray, chance: random.Random) -> bytearray:
    return data[: chance.randrange(len(data))]


def _cut_out(data: bytearray, chance: random.Random) -> bytearray:
    at = chance.randrange(132, len(data))
    del data[at : at + chance.choice((1, 2, 8, 200))]
    return data


def _repeat(data: bytearray, chance: random.Random) -> bytearray:
    at = chance.randrange(132, len(data))
    piece = data[at : at + chance.choice((2, 8, 40, 400))]
    data[at:at] = piece * chance.choice((1, 4, 100))
    return data


def _length(data: bytearray, chance: random.Random) -> bytearray:
    """Alter the length of an element that has one of the usual value representations."""
    places = [
        at
        for vr in (b"US", b"CS", b"UI", b"DS", b"IS", b"SQ", b"OB", b"OW", b"UN", b"LO")
        for at in _all(data, vr)
    ]
    if not places:
        return _overwrite(data, chance)
    at = chance.choice(places)
    value = chance.choice((0, 1, 0xFF, 0xFFFE, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF, 0xFFFFFFFE))
    if data[at : at + 2] in (b"SQ", b"OB", b"OW", b"UN"):
        data[at + 4 : at + 8] = struct.pack("<L", value)
    else:
        data[at + 2 : at + 4] = struct.pack("<H", value & 0xFFFF)
    return data


def _all(data: bytearray, what: bytes) -> list[int]:
    places, at = [], data.find(what, 132)
    while at >= 0:
        places.append(at)
        at = data.find(what, at + 1)
    return places


_NUMBERS = {
    b"\x28\0\x02\0US": "samples",
    b"\x28\0\x06\0US": "planes",
    b"\x28\0\x10\0US": "rows",
    b"\x28\0\x11\0US": "columns",
    b"\x28\0\x00\x01US": "allocated",
    b"\x28\0\x01\x01US": "stored",
    b"\x28\0\x02\x01US": "high bit",
    b"\x28\0\x03\x01US": "signed",
}


def _number(data: bytearray, chance: random.Random) -> bytearray:
    """Set a number that describes the pixels: huge, zero, or one off."""
    at = data.find(chance.choice(list(_NUMBERS)))
    if at >= 0:
        values = (0, 1, 2, 3, 4, 7, 8, 9, 12, 15, 16, 17, 32, 39, 41, 1000, 32767, 65535)
        data[at + 8 : at + 10] = struct.pack("<H", chance.choice(values))
    return data


def _add_element(data: bytearray, chance: random.Random) -> bytearray:
    """Add a count of frames, nested sequences, or thousands of elements before the pixels."""
    at = data.rfind(b"\xe0\x7f\x10\0O")
    if at < 0:
        return data
    kind = chance.randrange(5)
    if kind == 0:
        value = chance.choice((b"0 ", b"-1", b"2147483647", b"99999999", b"1e9 ", b"12"))
        more = b"\x28\0\x08\0IS" + struct.pack("<H", len(value)) + value
    elif kind == 1:
        deep = chance.choice((3, 100, 5000))
        undefined = b"\xff\xff\xff\xff"
        more = (b"\x41\0\x10\0SQ\0\0" + undefined + b"\xfe\xff\0\xe0" + undefined) * deep
    elif kind == 2:
        more = (b"\x43\0\x10\0LO\x02\0ab") * chance.choice((10, 1000, 60_000))
    elif kind == 3:
        more = b"\x28\0\x50\x10DS\x04\0" + chance.choice((b"nan ", b"1e99", b"-1  ", b"0   "))
        more += b"\x28\0\x51\x10DS\x04\0" + chance.choice((b"0   ", b"inf ", b"-5  ", b"1e-9"))
    else:
        more = b"\x28\0\x53\x10DS\x04\0" + chance.choice((b"1e38", b"nan ", b"0   ", b"-2  "))
        more += b"\x28\0\x52\x10DS\x04\0" + chance.choice((b"1e99", b"-inf", b"x   ", b"5   "))
    data[at:at] = more
    return data


def _syntax(data: bytearray, chance: random.Random) -> bytearray:
    """Say that the pixels are encoded in another way."""
    at = data.find(b"\x02\0\x10\0UI")
    if at < 0:
        return data
    length = struct.unpack_from("<H", data, at + 6)[0]
    known = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99")
    known += ("1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5", "1.2.3")
    known += tuple(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 91, 201))
    other = chance.choice(known).encode()
    other += b"\0" * (len(other) % 2)
    data[at + 6 : at + 8 + length] = struct.pack("<H", len(other)) + other
    return data


def _frame(data: bytearray, chance: random.Random) -> bytearray:
    """Hurt the pixel data alone, where the decoders of C and C++ are."""
    at = data.rfind(b"\xe0\x7f\x10\0O")
    if at < 0 or at + 24 >= len(data):
        return data
    for _ in range(chance.choice((1, 2, 4, 30))):
        place = chance.randrange(at + 12, len(data))
        data[place] = chance.choice((0, 0xFF, data[place] ^ (1 << chance.randrange(8))))
    return data[: chance.randrange(at + 12, len(data))] if chance.random() < 0.2 else data


def _codestream_size(data: bytearray, chance: random.Random) -> bytearray:
    """Let the encoded frame, or both headers, claim another size."""
    for marker, offset in ((b"\xff\x4f\xff\x51", 8), (b"\xff\xc0", 5), (b"\xff\xc3", 5)):
        at = data.rfind(marker)
        if at > 0:
            form = ">L" if offset == 8 else ">H"
            size = struct.calcsize(form)
            value = chance.choice((0, 1, 39, 41, 4000, 65535, 2**32 - 1)) & (256**size - 1)
            where = at + offset + size * chance.randrange(2)
            data[where : where + size] = struct.pack(form, value)
            if chance.random() < 0.5 and value < 65536:
                return _both(data, value)
            return data
    return data


def _both(data: bytearray, value: int) -> bytearray:
    for tag in (b"\x28\0\x10\0US", b"\x28\0\x11\0US"):
        at = data.find(tag)
        if at >= 0:
            data[at + 8 : at + 10] = struct.pack("<H", value)
    return data


def _deflate(data: bytearray, chance: random.Random) -> bytearray:
    """Deflate the data set, whole, cut, or with a flipped bit."""
    whole = bytes(data)
    try:
        at = files.data_set_at(whole)
    except struct.error:
        return data
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = bytearray(packer.compress(whole[at:]) + packer.flush())
    if chance.random() < 0.5:
        packed[chance.randrange(len(packed))] ^= 1 << chance.randrange(8)
    return _set_syntax(bytearray(whole[:at]), b"1.2.840.10008.1.2.1.99") + packed


def _set_syntax(meta: bytearray, syntax: bytes) -> bytearray:
    at = meta.find(b"\x02\0\x10\0UI")
    if at >= 0:
        length = struct.unpack_from("<H", meta, at + 6)[0]
        meta[at + 6 : at + 8 + length] = struct.pack("<H", len(syntax)) + syntax
    return meta


Mutation = Callable[[bytearray, random.Random], bytearray]
MUTATIONS: tuple[Mutation, ...] = (
    _flip,
    _overwrite,
    _cut,
    _cut_out,
    _repeat,
    _length,
    _number,
    _number,
    _add_element,
    _syntax,
    _frame,
    _frame,
    _frame,
    _codestream_size,
    _deflate,
)


def mutated(original: bytes, chance: random.Random) -> bytes:
    """Return the file with one to three things done to it."""
    data = bytearray(original)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        if len(data) > 200:
            data = chance.choice(MUTATIONS)(data, chance)
    return bytes(data)


def run(cases: int, seed: int, report: Callable[[str], None]) -> list[str]:
    """Try mutated files for ``make fuzz``; return a sentence for each that went wrong."""

    def on_case(done: int) -> None:
        if done % 1000 == 0:
            report(f"{done} DICOM files")

    outcome = decode_mutated(cases, seed, on_case=on_case)
    for line in outcome.told():
        report(line)
    return outcome.wrong


def decode_mutated(
    cases: int,
    seed: int,
    *,
    on_case: Callable[[int], None] = lambda _: None,
    keep: Path | None = None,
) -> Outcome:
    """Try mutated files, each as an upload's entry would be.

    Args:
        cases: How many.
        seed: The same seed makes the same files.
        on_case: Told how many are done.
        keep: Folder for the files that broke a helper down or did what they must not.
    """
    outcome = Outcome()
    kinds = list(originals().items())
    limits = Limits(pixels=20_000_000, frames=64, all_pixels=40_000_000, bytes=64 * 2**20)
    with DicomDecoders(SIDE, limits=limits, seconds=SECONDS, memory=MEMORY) as decoders:
        for number in range(cases):
            chance = random.Random(seed * 1_000_003 + number)
            kind, original = kinds[number % len(kinds)]
            data = mutated(original, chance)
            began = time.monotonic()
            problem = _try(decoders, data, outcome)
            took = time.monotonic() - began
            outcome.cases += 1
            outcome.slowest = max(outcome.slowest, took)
            if took > MOST_SECONDS:
                problem = f"took {took:.0f} s"
            if problem == "decoder_ended":
                outcome.ended[kind] += 1
            elif problem:
                outcome.wrong.append(f"case {number} ({kind}, seed {seed}): {problem}")
            if problem and keep is not None:
                (keep / f"{seed}-{number}-{kind}.dcm").write_bytes(data)
            on_case(outcome.cases)
    outcome.peak_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return outcome


def _try(decoders: DicomDecoders, data: bytes, outcome: Outcome) -> str:
    try:
        images = decoders.decode(data)
        frames = list(images.frames)
    except UnreadableError as error:
        outcome.codes[error.code] += 1
        if error.code not in CODES:
            return f"unknown code {error.code}"
        return "decoder_ended" if error.code == "decoder_ended" else ""
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return f"raised {error!r}"
    if len(frames) != images.about.frames or any(f.shape != (SIDE, SIDE, 3) for f in frames):
        return "gave frames of the wrong shape or number"
    outcome.read += 1
    return ""


def main() -> int:
    """Run as told on the command line; 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    began = time.monotonic()

    def on_case(done: int) -> None:
        if done % 500 == 0:
            print(f"{done} cases, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    outcome = decode_mutated(args.cases, args.seed, on_case=on_case, keep=args.keep)
    print(f"{outcome.cases} DICOM files in {time.monotonic() - began:.0f} s")
    print("\n".join(outcome.told()))
    for line in outcome.wrong:
        print(f"WRONG {line}")
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
