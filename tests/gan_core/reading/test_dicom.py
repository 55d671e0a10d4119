"""One DICOM file becomes squares of RGB pixels."""

from typing import Any

import dicom_files as files
import numpy as np
import pytest
from pydicom.dataset import Dataset

from gan_core.reading.dicom import About, open_dicom
from gan_core.reading.dicom_header import Limits
from gan_core.reading.images import PHANTOM_NOTE
from gan_core.reading.unreadable import UnreadableError

SIDE = 40
SALT = b"0123456789abcdef"


def read(data: bytes, side: int = SIDE, **limits: int) -> tuple[About, list[np.ndarray]]:
    about, frames = open_dicom(data, side, limits=Limits(**limits), salt=SALT)
    return about, list(frames)


def grey(data: bytes, side: int = SIDE) -> np.ndarray:
    """Return the one grey frame of a file as int [H, W]."""
    _, (frame,) = read(data, side)
    assert (frame == frame[..., :1]).all()
    return frame[..., 0].astype(int)


def code_of(data: bytes, **limits: int) -> str:
    with pytest.raises(UnreadableError) as caught:
        read(data, **limits)
    return caught.value.code


RAMP = np.tile(np.arange(40, dtype=np.uint16) * 100, (40, 1))  # 0 to 3,900


# --- grey levels and colours ----------------------------------------------------------------------


def test_eight_bit_grey_levels_and_colours_stay_as_they_are() -> None:
    one, colour = files.blocks(1), files.blocks(1, colour=True)
    assert (grey(files.dicom_file(one)) == one).all()
    assert (read(files.dicom_file(colour))[1][0] == colour).all()


def test_without_a_window_the_range_that_is_used_is_shown() -> None:
    shown = grey(files.dicom_file(RAMP + 1000, BitsStored=16))
    assert shown[0, 0] == 0
    assert shown[0, -1] == 255
    assert np.abs(shown - np.rint(RAMP / 3900 * 255)).max() == 0


def test_the_first_window_is_applied() -> None:
    shown = grey(
        files.dicom_file(RAMP, BitsStored=12, WindowCenter=["1000", "2"], WindowWidth=["1000", "3"])
    )
    # PS3.3 C.11.2.1.2.1
    x = RAMP[0].astype(float)
    expected = np.clip(((x - 999.5) / 999 + 0.5) * 255, 0, 255)
    assert np.abs(shown[0] - expected).max() <= 0.5


def test_the_window_counts_in_rescaled_values() -> None:
    plain = files.dicom_file(RAMP, BitsStored=12, WindowCenter="1000", WindowWidth="1000")
    rescaled = files.dicom_file(
        RAMP,
        BitsStored=12,
        RescaleSlope="2",
        RescaleIntercept="-1024",
        WindowCenter="976",  # 2 · 1000 - 1024
        WindowWidth="2000",
    )
    assert np.abs(grey(plain) - grey(rescaled)).max() <= 1


@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
def test_other_windows_are_applied_too(function: str) -> None:
    shown = grey(
        files.dicom_file(
            RAMP, BitsStored=12, WindowCenter="2000", WindowWidth="1000", VOILUTFunction=function
        )
    )
    assert shown[0, 0] == 0
    assert shown[0, -1] == 255
    assert abs(shown[0, 20] - 127.5) <= 1
    assert (np.diff(shown[0]) >= 0).all()


def test_a_window_without_width_is_as_none() -> None:
    useless = files.dicom_file(RAMP, BitsStored=12, WindowCenter="0", WindowWidth="0")
    assert (grey(useless) == grey(files.dicom_file(RAMP, BitsStored=12))).all()


def test_a_voi_look_up_table_goes_before_a_window() -> None:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 8]
    table = (255 - np.arange(4096) // 16).astype(np.uint16)
    item.add_new("LUTData", "OW", table.tobytes())
    shown = grey(
        files.dicom_file(
            RAMP, BitsStored=12, VOILUTSequence=[item], WindowCenter="1", WindowWidth="2"
        )
    )
    assert (shown[0] == 255 - RAMP[0] // 16).all()


def test_a_modality_look_up_table_is_applied() -> None:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 16]
    item.add_new("LUTData", "OW", (np.arange(4096, dtype=np.uint16)[::-1] * 2).tobytes())
    item.ModalityLUTType = "US"
    shown = grey(files.dicom_file(RAMP, BitsStored=12, ModalityLUTSequence=[item]))
    assert shown[0, 0] == 255
    assert shown[0, -1] == 0


def test_monochrome1_is_turned_round() -> None:
    one = files.blocks(1)
    white_is_low = files.dicom_file(one, PhotometricInterpretation="MONOCHROME1")
    assert (grey(white_is_low) == 255 - one.astype(int)).all()


def test_signed_values_are_read_as_such() -> None:
    assert (grey(files.dicom_file((RAMP - 2000).view(np.int16))) == grey(files.dicom_file(RAMP)))[
        :, [0, 10, 39]
    ].all()


def test_padding_does_not_count_and_is_black() -> None:
    padded = (RAMP.astype(np.int16) - 1000).copy()
    padded[:5] = -30000
    shown = grey(files.dicom_file(padded, PixelPaddingValue=-30000))
    assert (shown[:5] == 0).all()
    assert shown[20, -1] == 255
    assert abs(shown[20, 20] - 131) <= 1
    inverted = grey(
        files.dicom_file(padded, PixelPaddingValue=-30000, PhotometricInterpretation="MONOCHROME1")
    )
    assert (inverted[:5] == 0).all()


def test_a_range_of_padding_is_left_out_whole() -> None:
    padded = RAMP.copy()
    padded[:3], padded[3:6] = 65000, 65535
    shown = grey(files.dicom_file(padded, PixelPaddingValue=65000, PixelPaddingRangeLimit=65535))
    assert (shown[:6] == 0).all()
    assert shown[20, -1] == 255


def test_bits_above_those_stored_are_no_part_of_the_image() -> None:
    plain = files.dicom_file(RAMP, BitsStored=12)
    hidden = files.dicom_file(RAMP | np.uint16(0xA000), BitsStored=12)
    assert (grey(plain) == grey(hidden)).all()


def test_palettes_are_applied() -> None:
    indices = files.blocks(4)
    (frame,) = read(files.palette_file(indices))[1]
    assert (frame[..., 0] == indices).all()
    assert (frame[..., 1] == 255 - indices).all()
    assert (frame[..., 2] == 128).all()


def test_colours_by_plane_and_as_ybr_are_converted() -> None:
    colour = files.blocks(5, colour=True)
    planes = np.ascontiguousarray(colour.transpose(2, 0, 1))
    by_plane = files.dicom_file(colour, PlanarConfiguration=1, PixelData=planes.tobytes())
    assert (read(by_plane)[1][0] == colour).all()
    from pydicom.pixels import convert_color_space

    ybr = convert_color_space(colour, "RGB", "YBR_FULL")
    as_ybr = files.dicom_file(ybr, PhotometricInterpretation="YBR_FULL")
    assert np.abs(read(as_ybr)[1][0].astype(int) - colour).max() <= 2


def test_sixteen_bit_colours_are_scaled_to_eight() -> None:
    colour = files.blocks(6, colour=True)
    deep = files.dicom_file(colour.astype(np.uint16) * 257)
    assert (read(deep)[1][0] == colour).all()


def test_the_centre_square_is_kept_and_resized() -> None:
    wide = np.zeros((64, 128), np.uint8)
    wide[:, 28:100] = 200  # some pixels more than the square, which the filter looks at
    shown = grey(files.dicom_file(wide), side=32)
    assert shown.shape == (32, 32)
    assert (shown == 200).all()


# --- how pixels are encoded -----------------------------------------------------------------------

LOSSLESS = [
    files.RLELossless,
    files.JPEG_LOSSLESS,
    files.JPEG_LOSSLESS_FIRST_ORDER,
    files.JPEG_LS,
    files.JPEG_LS_NEAR,
    files.JPEG_2000_LOSSLESS,
]


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_encodings_give_every_value_back(syntax: str) -> None:
    one, colour = files.blocks(1), files.blocks(2, colour=True)
    assert (grey(files.compressed(one, syntax)) == one).all()
    assert (read(files.compressed(colour, syntax))[1][0] == colour).all()
    deep = files.compressed(RAMP, syntax, BitsStored=12)
    assert (grey(deep) == grey(files.dicom_file(RAMP, BitsStored=12))).all()


@pytest.mark.parametrize("syntax", [files.JPEG_BASELINE, files.JPEG_2000])
def test_lossy_encodings_come_close(syntax: str) -> None:
    smooth = np.tile(np.linspace(20, 230, 40).astype(np.uint8), (40, 1))
    colour = np.stack([smooth, smooth.T, 255 - smooth], axis=-1)
    assert np.abs(grey(files.compressed(smooth, syntax)) - smooth).max() <= 4
    assert np.abs(read(files.compressed(colour, syntax))[1][0].astype(int) - colour).max() <= 12


def test_deflated_implicit_and_big_endian_files_are_read() -> None:
    one = files.blocks(1)
    assert (grey(files.deflated(one)) == one).all()
    for syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.2"):
        data = files.dicom_dataset(one)
        data.file_meta.TransferSyntaxUID = syntax
        data.set_original_encoding(syntax == "1.2.840.10008.1.2", syntax != "1.2.840.10008.1.2.2")
        assert (grey(files.as_bytes(data)) == one).all()


def test_encodings_that_are_not_read_are_told_apart_from_damage() -> None:
    deep = files.dicom_dataset(RAMP, BitsStored=12)
    assert code_of(files.encapsulated(deep, "1.2.840.10008.1.2.4.51", [b"ab"])) == (
        "image_unsupported"
    )
    data = files.dicom_dataset(files.blocks(1))
    assert code_of(files.encapsulated(data, "1.2.840.10008.1.2.4.201", [b"ab"])) == (
        "image_unsupported"
    )
    assert code_of(files.encapsulated(data, "1.2.840.10008.1.2.4.102", [b"ab"])) == (
        "image_unsupported"
    )


# --- frames ---------------------------------------------------------------------------------------


def test_every_frame_is_an_image() -> None:
    many = np.stack([files.blocks(k) for k in range(5)])
    about, frames = read(files.dicom_file(many, frames=True))
    assert about.frames == 5
    assert (np.stack(frames)[..., 0] == many).all()


def test_encoded_frames_are_read_one_by_one() -> None:
    many = np.stack([files.blocks(k) for k in range(3)])
    data = files.dicom_dataset(many, frames=True)
    encoded = [files.pillow_frame(one, "JPEG2000") for one in many]
    _, frames = read(files.encapsulated(data, files.JPEG_2000_LOSSLESS, encoded))
    assert (np.stack(frames)[..., 0] == many).all()


def test_each_frame_has_its_own_window() -> None:
    _, (whole, lower) = read(files.enhanced_file(), side=32)
    assert whole[0, -1, 0] == 255
    assert 110 <= whole[0, 16, 0] <= 145  # 80 of 150
    assert lower[0, 18, 0] == 255  # 90 is above 75


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "limits"),
    [
        ({"Rows": 65535, "Columns": 65535}, {}),
        ({"NumberOfFrames": 257}, {}),
        ({"NumberOfFrames": 2147483647}, {}),
        ({"NumberOfFrames": 200, "Rows": 2000, "Columns": 2000}, {}),
        ({}, {"pixels": 40 * 40 - 1}),
        ({}, {"all_pixels": 40 * 40 - 1}),
    ],
)
def test_what_is_too_large_is_refused_by_its_header(
    attributes: dict[str, Any], limits: dict[str, int]
) -> None:
    assert code_of(files.dicom_file(files.blocks(1), **attributes), **limits) == "image_too_large"


def test_a_deflate_bomb_is_given_up_at_the_limit() -> None:
    bomb = files.deflate_bomb(64 * 2**20)
    assert len(bomb) < 2**17
    assert code_of(bomb, bytes=2**20) == "image_too_large"


@pytest.mark.parametrize("syntax", [files.JPEG_BASELINE, files.JPEG_LS, files.JPEG_2000_LOSSLESS])
def test_an_encoded_frame_larger_than_its_header_says_is_not_decoded(syntax: str) -> None:
    large = files.compressed(files.blocks(1, side=400), syntax)
    small = files.blocks(1)
    lies = large.replace(b"\x10\0US\x02\0\x90\x01", b"\x10\0US\x02\0\x28\0")
    lies = lies.replace(b"\x11\0US\x02\0\x90\x01", b"\x11\0US\x02\0\x28\0")
    assert lies != large
    with pytest.raises(UnreadableError, match="encoded pixels are not of the size"):
        read(lies)
    assert (grey(files.dicom_file(small)) == small).all()


def test_a_million_tiny_tiles_are_not_decoded() -> None:
    whole = files.compressed(files.blocks(1, side=400), files.JPEG_2000_LOSSLESS)
    at = whole.rfind(b"\xff\x4f\xff\x51")
    tiny = whole[: at + 24] + (1).to_bytes(4) + (1).to_bytes(4) + whole[at + 32 :]
    with pytest.raises(UnreadableError, match="encoded pixels are not of the size"):
        read(tiny)


def test_endless_headers_and_bottomless_nesting_are_given_up() -> None:
    whole = files.dicom_file(files.blocks(1))
    at = whole.rfind(b"\xe0\x7f\x10\0O")
    many = (b"\x43\0\x10\0LO\x02\0ab") * 60_000
    assert code_of(whole[:at] + many + whole[at:]) == "image_damaged"
    undefined = b"\xff\xff\xff\xff"
    deep = (b"\x41\0\x10\0SQ\0\0" + undefined + b"\xfe\xff\0\xe0" + undefined) * 10_000
    assert code_of(whole[:at] + deep + whole[at:]) == "image_damaged"


# --- what is no image -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"PixelData": None}, "not_an_image"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4"}, "not_an_image"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2"}, "not_an_image"),
        ({"PhotometricInterpretation": "CMYK"}, "image_unsupported"),
        ({"BitsAllocated": 32}, "image_unsupported"),
        ({"BitsStored": 7, "HighBit": 7}, "image_unsupported"),
        ({"BitsStored": 9}, "image_damaged"),
        ({"Rows": 0}, "image_damaged"),
        ({"Rows": None}, "image_damaged"),
        ({"NumberOfFrames": -1}, "image_damaged"),
        ({"PixelData": b"ab"}, "image_damaged"),
    ],
)
def test_what_cannot_be_read_says_so(attributes: dict[str, Any], code: str) -> None:
    assert code_of(files.dicom_file(files.blocks(1), **attributes)) == code


def test_cut_anywhere_a_file_is_unreadable_and_nothing_worse() -> None:
    whole = files.compressed(files.blocks(1), files.JPEG_LS)
    for end in range(132, len(whole) - 20, 7):
        assert code_of(whole[:end]) in ("image_damaged", "not_an_image")


# --- who the patient is ---------------------------------------------------------------------------


def test_of_the_header_only_flags_and_salted_hashes_are_left() -> None:
    data, count = files.full_of_names()
    assert count >= 20
    about, (frame,) = read(data)
    assert files.PLANTED not in repr(about)
    assert "678901234" not in repr(about)
    assert (frame[..., 0] == files.blocks(7)).all()
    other_salt, _ = open_dicom(data, SIDE, limits=Limits(), salt=b"another salt 123")
    assert about.patient
    assert about.patient != other_salt.patient
    assert about.study != other_salt.study


def test_one_patient_has_one_hash_and_placeholders_have_none() -> None:
    def patient(**attributes: Any) -> str:
        return read(files.dicom_file(files.blocks(1), **attributes))[0].patient

    assert patient(PatientID="A1") == patient(PatientID="A1 ")
    assert patient(PatientID="A1") != patient(PatientID="A2")
    assert patient(PatientID="A1") != patient(PatientID="A1", IssuerOfPatientID="elsewhere")
    assert patient() == patient(PatientID="") == patient(PatientID="Anonymous") == ""


def test_the_file_tells_burned_in_text_synthesis_and_phantoms() -> None:
    def about(**attributes: Any) -> About:
        return read(files.dicom_file(files.blocks(1), **attributes))[0]

    assert about(BurnedInAnnotation="YES").has_burned_in_text
    assert not about(BurnedInAnnotation="NO").has_burned_in_text
    assert about(SyntheticData="YES").is_synthetic
    assert not about().is_synthetic
    assert about(ImageComments=PHANTOM_NOTE).is_phantom
    assert not about().is_phantom
