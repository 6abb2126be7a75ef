import pytest

from primatrix.video.pictures import find_rule

# MPEG-4's parameters: 25 units of time in a second, so that a picture's time takes 5 bits. The second, of
# another version, says all that may come before.
PARAMETERS = b"\0\0\1\x20\x00\x84\x40\x06\x60"
LONG_PARAMETERS = b"\0\0\1\x20\x00\xc8\xf8\x08\x0d\x40" + bytes(9) + b"\x63\x00\x19\x80"
CODED, NOT_CODED = b"\0\0\1\xb6\x50\xe0", b"\0\0\1\xb6\x50\xc0"
LATER_NOT_CODED = b"\0\0\1\xb6\x74\x30"  # two whole seconds on


def ask(codec: str, extradata: bytes, *packets: bytes) -> list[bool]:
    rule = find_rule(codec, extradata)
    assert rule is not None
    return [rule(memoryview(packet)) for packet in packets]


@pytest.mark.parametrize("parameters", [PARAMETERS, LONG_PARAMETERS])
def test_an_mpeg4_picture_that_is_not_coded_is_not_shown(parameters: bytes) -> None:
    packets = (CODED, NOT_CODED, CODED + bytes(30), LATER_NOT_CODED)
    assert ask("mpeg4", parameters, *packets) == [True, False, True, False]
    assert ask("mpeg4", b"", parameters + CODED, NOT_CODED) == [True, False]  # the first packet may tell
    assert ask("mpeg4", b"", NOT_CODED) == [True]  # nothing tells: as good as coded


def test_the_second_of_two_mpeg4_pictures_is_shown_with_the_next_packet() -> None:
    large = CODED + bytes(30)
    packets = (CODED, large + large, large, NOT_CODED, NOT_CODED, b"\x7f", large + large, b"\x7f")
    assert ask("mpeg4", PARAMETERS, *packets) == [True, True, True, True, False, False, True, True]


def test_vp8_and_vp9_hide_what_others_lean_on() -> None:
    assert ask("vp8", b"", b"\x10", b"\x00") == [True, False]
    # 10 (a frame begins), profile 0, not shown before, no keyframe, then show_frame
    assert ask("vp9", b"", b"\x82\x00", b"\x80\x00") == [True, False]
    assert ask("vp9", b"", b"\x88\x00", b"\xb1\x00", b"\xb0\x00") == [True, True, False]
    assert ask("vp9", b"", b"\x80\x00\xc1") == [True]  # several frames, one of them shown


@pytest.mark.parametrize(
    ("codec", "parameters", "picture"), [("h264", b"\x67", b"\x65"), ("hevc", b"\x42\x01", b"\x26\x01")]
)
def test_a_packet_of_parameters_alone_shows_no_picture(codec: str, parameters: bytes, picture: bytes) -> None:
    place = {"h264": 4, "hevc": 21}[codec]
    counted = b"\x01" + bytes(place - 1) + b"\x03"  # lengths of 4 bytes stand before the units
    alone = len(parameters).to_bytes(4, "big") + parameters
    both = alone + len(picture).to_bytes(4, "big") + picture
    assert ask(codec, counted, alone, both, bytes(300)) == [False, True, True]
    assert ask(codec, b"", b"\0\0\1" + parameters, b"\0\0\1" + parameters + b"\0\0\1" + picture) == [
        False,
        True,
    ]


def test_codecs_that_show_a_picture_with_each_packet_need_no_rule() -> None:
    assert [find_rule(codec, b"") for codec in ("mjpeg", "rawvideo", "av1", "msmpeg4v2")] == [None] * 4
