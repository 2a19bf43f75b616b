import io

import numpy as np
import pytest
from PIL import Image

from datamodules.images import decode, read_image

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **more) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **more)
    return stream.getvalue()


def test_an_rgb_image_is_returned_pixel_by_pixel(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(PIXELS)))
    found = read_image(tmp_path / "a.png")
    assert found.dtype == np.uint8
    assert np.array_equal(found, PIXELS)
    found[0] = 0  # writable: callers draw on it


def test_a_photograph_on_its_side_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned a quarter to the left
    found = decode(encoded(Image.fromarray(PIXELS), exif=exif), "a")
    assert np.array_equal(found, np.rot90(PIXELS, -1))


def test_grey_palette_and_cmyk_become_rgb():
    image = Image.fromarray(PIXELS)
    grey = decode(encoded(image.convert("L")), "a")
    assert np.array_equal(grey, np.repeat(np.asarray(image.convert("L"))[..., None], 3, 2))
    palette = image.quantize(64)
    assert np.array_equal(decode(encoded(palette), "a"), np.asarray(palette.convert("RGB")))
    assert decode(encoded(image.convert("CMYK"), "JPEG"), "a").shape == (6, 9, 3)


def test_transparent_pixels_lie_on_white():
    clear = Image.new("RGBA", (2, 1), (200, 0, 0, 0))
    clear.putpixel((1, 0), (10, 20, 30, 255))
    assert decode(encoded(clear), "a").tolist() == [[[255] * 3, [10, 20, 30]]]


def test_sixteen_bits_are_scaled_to_eight():
    wide = np.array([[0, 257, 32768, 65535]], np.uint16)
    found = decode(encoded(Image.fromarray(wide)), "a")
    assert found[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_a_truncated_image_is_named(tmp_path, kind):
    big = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(big), kind)
    path = tmp_path / "half.img"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"half\.img: "):
        read_image(path)


def test_an_empty_file_and_a_text_are_no_images():
    with pytest.raises(ValueError, match="a: the file is empty"):
        decode(b"", "a")
    with pytest.raises(ValueError, match="a: no image of a known format"):
        decode(b"hello", "a")


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.png: No such file"):
        read_image(tmp_path / "none.png")
