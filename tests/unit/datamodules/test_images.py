import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from datamodules.detectors.none import NoDetectorConfig as Whole
from datamodules.image_index import scan
from datamodules.images import MOST_PIXELS, decode, from_pil, read_image

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


UPRIGHT = {  # EXIF orientation -> what to do with the stored pixels, by the standard's table
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: np.rot90(x),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_a_photograph_on_its_side_is_turned_upright(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(PIXELS)
    more = {"WEBP": {"lossless": True}}.get(kind, {})
    plain = decode(encoded(image, kind, **more), "a")
    found = decode(encoded(image, kind, exif=exif, **more), "a")
    assert np.array_equal(found, UPRIGHT[orientation](plain))


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 6\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (EPS, "EPS"),  # Pillow would start Ghostscript to draw it
        (b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 32, len(EPS)) + bytes(20) + EPS, "EPS"),  # with a binary preview header
        (encoded(Image.fromarray(PIXELS), "JPEG2000"), "JPEG2000"),
        (encoded(Image.fromarray(PIXELS), "PCX"), "PCX"),
        (encoded(Image.fromarray(PIXELS), "ICO"), "ICO"),
    ],
)
def test_an_image_of_a_format_that_is_not_allowed_is_refused_by_name_whatever_the_file_is_called(tmp_path, data, kind):
    started = []
    plugin = Image.OPEN[kind][0]
    (tmp_path / "a.jpg").write_bytes(data)
    try:
        Image.OPEN[kind] = (lambda *args: started.append(kind) or plugin(*args), Image.OPEN[kind][1])
        with pytest.raises(ValueError, match=rf"a\.jpg: no image of a known format; it is {kind}, and only JPEG, PNG"):
            read_image(tmp_path / "a.jpg")
    finally:
        Image.OPEN[kind] = (plugin, Image.OPEN[kind][1])
    assert not started


def test_gray_black_and_white_and_palette_become_rgb():
    image = Image.fromarray(PIXELS)
    gray = decode(encoded(image.convert("L")), "a")
    assert np.array_equal(gray, np.repeat(np.asarray(image.convert("L"))[..., None], 3, 2))
    bits = PIXELS[..., 0] > 128
    for kind, more in (("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "group4"})):
        found = decode(encoded(Image.fromarray(bits), kind, **more), "a")
        assert np.array_equal(found, np.repeat(255 * bits[..., None].astype(np.uint8), 3, 2))
    colors = np.random.default_rng(3).integers(0, 256, (16, 3), np.uint8)
    numbers = np.random.default_rng(4).integers(0, 16, (6, 9), np.uint8)
    palette = Image.fromarray(numbers)
    palette.putpalette(colors.tobytes())
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        assert np.array_equal(decode(encoded(palette, kind), "a"), colors[numbers]), kind


FLAT = np.full((16, 24, 3), (200, 90, 30), np.uint8)


def inks(rgb):
    """CMYK, 0 is no ink: the black that all share, and of the others what is left over it."""
    black = 255 - int(max(rgb))
    return (*(round((255 - int(value) - black) / (255 - black) * 255) for value in rgb), black)


@pytest.mark.parametrize(("kind", "more"), [("TIFF", {}), ("JPEG", {"quality": 98})])
def test_inks_become_light(kind, more):
    image = Image.new("CMYK", (24, 16), inks((200, 90, 30)))
    data = encoded(image, kind, **more)
    assert (b"Adobe" in data) == (kind == "JPEG")  # such a JPEG file stores 255 where there is no ink
    assert np.abs(decode(data, "a").astype(int) - FLAT).max() <= 2


def test_inks_that_a_jpeg_file_stores_as_brightness_and_color_become_light():
    # Adobe's YCCK: luma and chroma of the inverted inks, and black beside them; byte 11 of Adobe's marker is 2 for it.
    red, green, blue = (255.0 - value for value in (200, 90, 30))  # what libjpeg will subtract from 255
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    stored = (luma, 128 - 0.168736 * red - 0.331264 * green + 0.5 * blue, 128 + 0.5 * red - 0.418688 * green - 0.081312 * blue)
    image = Image.new("CMYK", (24, 16), (*(255 - round(value) for value in stored), 0))  # Pillow inverts what it writes
    data = bytearray(encoded(image, "JPEG", quality=98))
    data[data.index(b"Adobe") + 11] = 2
    assert np.abs(decode(bytes(data), "a").astype(int) - FLAT).max() <= 3


@pytest.mark.parametrize("mode", ["YCbCr", "LAB"])
def test_brightness_and_color_become_rgb(mode):
    if mode == "LAB":  # L from 0 to 100 is 0 to 255; a and b are signed bytes
        lab = np.array([[[0, 0, 0], [255, 0, 0], [138, 0, 0]]], np.uint8)
        found = decode(encoded(Image.fromarray(lab, "LAB"), "TIFF"), "a")
        assert np.abs(found[0].astype(int) - [[0] * 3, [255] * 3, [129] * 3]).max() <= 2
        return
    for more in ({}, {"compression": "jpeg", "quality": 98}):
        found = decode(encoded(Image.fromarray(FLAT).convert("YCbCr"), "TIFF", **more), "a")
        assert np.abs(found.astype(int) - FLAT).max() <= 2


def test_transparent_pixels_lie_on_white():
    clear = Image.new("RGBA", (2, 1), (200, 0, 0, 0))
    clear.putpixel((1, 0), (10, 20, 30, 255))
    assert decode(encoded(clear), "a").tolist() == [[[255] * 3, [10, 20, 30]]]


def test_transparency_of_gray_and_of_a_palette_lies_on_white_too():
    values, opacity = np.array([[0, 100, 200]], np.uint8), np.array([[255, 128, 0]], np.uint8)
    gray = Image.merge("LA", [Image.fromarray(values), Image.fromarray(opacity)])
    assert decode(encoded(gray), "a")[0, :, 0].tolist() == [0, round((100 * 128 + 255 * 127) / 255), 255]
    palette = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    palette.putpalette([9, 8, 7, 50, 60, 70, 1, 2, 3])
    expected = [[9, 8, 7], [255] * 3, [1, 2, 3]]
    assert decode(encoded(palette, transparency=1), "a")[0].tolist() == expected
    assert decode(encoded(palette, "GIF", transparency=1), "a")[0].tolist() == expected
    half = decode(encoded(palette, transparency=bytes([255, 51, 255])), "a")[0, 1]
    assert np.abs(half.astype(int) - [round(0.2 * value + 0.8 * 255) for value in (50, 60, 70)]).max() <= 1
    assert decode(png(values, 0, transparent=[100]), "a")[0, :, 0].tolist() == [0, 255, 200]
    assert (decode(png(PIXELS, 2, transparent=PIXELS[0, 0]), "a")[0, 0] == 255).all()


def png(pixels, color, transparent=()):
    """A PNG file made by hand; ``color`` 0 is gray, 2 RGB, 4 gray with opacity, 6 RGB with opacity."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = pixels.shape[:2]
    big = pixels.astype(pixels.dtype.newbyteorder(">"))
    head = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, color, 0, 0, 0)
    clear = chunk(b"tRNS", b"".join(struct.pack(">H", int(value)) for value in transparent)) if len(transparent) else b""
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in big))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + clear + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def tiff(pixels, order):
    """A TIFF file made by hand, of 16 bits; ``order`` is ">" for big-endian numbers."""
    height, width = pixels.shape[:2]
    bands = 1 if pixels.ndim == 2 else pixels.shape[2]
    opaque = {338: 2} if bands == 4 else {}
    data, after = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes(), 8 + 2 + (9 + len(opaque)) * 12 + 4
    extra = struct.pack(f"{order}{bands}H", *[16] * bands) if bands > 2 else b""
    tags = {256: width, 257: height, 258: after if extra else 16, 259: 1, 262: 2 if bands > 2 else 1, 273: after + len(extra)}
    tags |= {277: bands, 278: height, 279: len(data)} | opaque
    body = b""
    for tag, value in tags.items():
        count = bands if tag == 258 else 1
        long = tag in (273, 279) or (tag == 258 and extra)
        kind = 4 if tag in (273, 279) else 3
        body += struct.pack(f"{order}HHI", tag, kind, count)
        body += struct.pack(f"{order}I", value) if long else struct.pack(f"{order}HH", value, 0)
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(f"{order}IH", 8, len(tags))
    return head + body + struct.pack(f"{order}I", 0) + extra + data


WIDE = np.array([[0, 200, 32768, 65535]], np.uint16)
NARROW = [0, 1, 128, 255]


def test_sixteen_bits_of_gray_are_rounded_to_eight():
    image = Image.fromarray(WIDE)
    pgm = b"P5 4 1 65535\n" + WIDE.astype(">u2").tobytes()
    files = [encoded(image), encoded(image, "TIFF"), png(WIDE, 0), tiff(WIDE, ">"), tiff(WIDE, "<"), pgm]
    for data in files:
        found = decode(data, "a")
        assert found[0, :, 0].tolist() == NARROW
        assert (np.ptp(found, axis=2) == 0).all()
    assert decode(png(WIDE, 0, transparent=[200]), "a")[0, :, 0].tolist() == [0, 255, 128, 255]


def test_sixteen_bits_of_color_keep_their_upper_byte():
    wide = np.random.default_rng(1).integers(0, 65536, (4, 5, 3)).astype(np.uint16)
    opaque = np.dstack([wide, np.full((4, 5), 65535, np.uint16)])
    ppm = b"P6 5 4 65535\n" + wide.astype(">u2").tobytes()
    for data in (png(wide, 2), png(opaque, 6), tiff(opaque, ">"), tiff(opaque, "<"), ppm):
        assert np.abs(decode(data, "a") - wide / 257).max() < 1
    gray = decode(png(opaque[..., 2:], 4), "a")
    assert np.abs(gray[..., 0] - wide[..., 2] / 257).max() < 1


def test_pixels_that_are_wider_than_sixteen_bits_or_broken_numbers_are_refused():
    for top, message in ((2**20, "pixels from 0 to 1048576"), (0.5, "pixels are floating-point")):
        kind = np.float32 if isinstance(top, float) else np.int32
        data = encoded(Image.fromarray(np.array([[0, top]], kind)), "TIFF")
        with pytest.raises(ValueError, match=f"a: {message}"):
            decode(data, "a")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16", "I;16B", "CMYK", "YCbCr", "LAB"])
def test_an_image_opened_with_pil_has_the_pixels_of_its_file(mode):
    deep = np.arange(54, dtype=np.uint16).reshape(6, 9) * 1200
    data = encoded(Image.fromarray(PIXELS).convert(mode), "TIFF")
    if mode.startswith("I;16"):
        data = tiff(deep, ">" if mode.endswith("B") else "<")
    if mode == "I":
        data = b"P5\n9 6\n65535\n" + deep.astype(">u2").tobytes()
    image = Image.open(io.BytesIO(data))
    assert image.mode == mode
    before = image.copy()
    found = from_pil(image)
    assert np.array_equal(found, decode(data, "a"))
    assert not mode.startswith("I") or np.array_equal(found[..., 0], np.round(deep / 257)), "scaled, not clipped"
    assert np.array_equal(np.asarray(image), np.asarray(before)), "the image itself changed"


def test_an_image_of_floating_point_numbers_opened_with_pil_is_refused_as_its_file_is():
    with pytest.raises(ValueError, match=r"^PIL image of mode F: pixels are floating-point numbers of unknown range$"):
        from_pil(Image.new("F", (9, 6), 0.5))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_a_moving_image_the_first_frame_counts(kind):
    frames = [Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (10, 200, 90)]
    more = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **more)
    assert Image.open(io.BytesIO(data)).n_frames == 3
    assert (decode(data, "a") == 10).all()


def test_an_image_20000_pixels_wide_is_read_and_cut():
    image = Image.new("RGB", (20_000, 40), (1, 2, 3))
    image.putpixel((19_999, 39), (250, 0, 0))
    found = decode(encoded(image), "a")
    assert found.shape == (40, 20_000, 3)
    assert found[39, 19_999].tolist() == [250, 0, 0]
    center = Whole().build()
    assert center.crop(found, center.of_size(20_000, 40), 112)[0, 0].tolist() == [1, 2, 3]


def bomb(width, height):
    """A PNG file of so many pixels by its head, and of one in truth."""
    data = png(np.zeros((1, 1), np.uint8), 0)
    head = data[12:16] + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(20_000, 4_474), (20_000, 20_000), (2_000_000_000, 2)])
def test_an_image_of_too_many_pixels_is_refused_before_it_is_unpacked(size):
    with pytest.raises(ValueError, match=r"^a: .*an? image has 89,478,485 (pixels )?at most"):
        decode(bomb(*size), "a")


def test_the_limit_is_the_same_where_warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for size in ((20_000, 4_474), (20_000, 20_000)):
            with pytest.raises(ValueError, match=r"^a: an image has 89,478,485 pixels at most"):
                decode(bomb(*size), "a")
        with pytest.raises(ValueError, match=r"truncated|broken|process"):  # of allowed size, and not all there
            decode(bomb(20_000, 4_473), "a")
    assert 20_000 * 4_473 <= MOST_PIXELS < 20_000 * 4_474


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_a_truncated_image_is_named(tmp_path, kind):
    big = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(big), kind)
    path = tmp_path / "half.img"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"half\.img: "):
        read_image(path)


def decoded(data):
    """The image, or None where there is a named error."""
    try:
        return decode(data, "a")
    except ValueError as error:
        if str(error).startswith("a: "):
            return None
        raise


FORMATS = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("BMP", {}),
    ("PPM", {}),
    ("GIF", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("kind", "more"), FORMATS)
def test_wherever_a_file_is_cut_off_nothing_is_lost_silently(kind, more):
    noise = np.random.default_rng(1).integers(0, 256, (20, 20, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind, **more)
    whole = decode(data, "a")
    found = [decoded(data[:end]) for end in range(len(data))]
    assert all(np.array_equal(image, whole) for image in found if image is not None)  # what is missing there was no pixel
    assert sum(image is None for image in found) > 0.9 * len(data)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("kind", "more"), FORMATS)
def test_a_damaged_file_is_an_image_or_a_named_error_and_nothing_else(kind, more):
    random = np.random.default_rng(2)
    data = np.frombuffer(encoded(Image.fromarray(PIXELS), kind, **more), np.uint8)
    for _ in range(300):
        damaged = data.copy()
        damaged[random.integers(0, len(data), random.integers(1, 6))] = random.integers(0, 256)
        found = decoded(damaged.tobytes())
        assert found is None or (found.dtype == np.uint8 and found.ndim == 3)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_folder_of_odd_images_is_read_as_its_policy_says(tmp_path):
    image, exif = Image.fromarray(PIXELS), Image.Exif()
    exif[0x0112] = 6
    good = {
        "a_plain.jpg": (encoded(image, "JPEG"), (9, 6)),
        "c_inks.jpg": (encoded(image.convert("CMYK"), "JPEG"), (9, 6)),
        "d_gray16.png": (png(WIDE, 0), (4, 1)),
        "f_palette.png": (encoded(image.quantize(8)), (9, 6)),
        "g_turned.jpg": (encoded(image, "JPEG", exif=exif), (6, 9)),
        "h_moving.webp": (encoded(image, "WEBP", save_all=True, append_images=[image.rotate(180)]), (9, 6)),
        "i_wide.png": (encoded(Image.new("L", (20_000, 3))), (20_000, 3)),
    }
    bad = {
        "b_corrupt.jpg": (b"\xff\xd8" + b"what is this" * 50, "no image of a known format"),
        "e_empty.png": (b"", "the file is empty"),
        "j_half.jpg": (encoded(image.resize((90, 60)), "JPEG")[:-200], "truncated"),
        "k_bomb.png": (bomb(20_000, 20_000), "an image has 89,478,485 pixels at most"),
    }
    for name, (data, _) in (good | bad).items():
        (tmp_path / name).write_bytes(data)
    images = [(name, "somebody") for name in sorted(good | bad)]
    found = scan(tmp_path, images, "skip", tmp_path / "cache")
    sizes = zip(found.widths, found.heights, strict=True)
    assert dict(zip(found.keys, sizes, strict=True)) == {name: size for name, (_, size) in good.items()}
    assert list(found.skipped) == sorted(bad)
    assert all(bad[name][1] in why for name, why in found.skipped.items())
    with pytest.raises(ValueError, match=r"b_corrupt\.jpg: no image of a known format; 4 of 11 images cannot be read"):
        scan(tmp_path, images, "fail", tmp_path / "cache")


def test_an_empty_file_and_a_text_are_no_images():
    with pytest.raises(ValueError, match="a: the file is empty"):
        decode(b"", "a")
    with pytest.raises(ValueError, match="a: no image of a known format"):
        decode(b"hello", "a")


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.png: No such file"):
        read_image(tmp_path / "none.png")
