"""Photos of every format and shape, with Pillow's pixels and crops of them.

The sources are small files in fixtures/media/. media.expected.safetensors holds for each file:

- `<file>.pixels` [height, width, 3]: the upright photo over white, in 8 bits;
- `<file>.centre`, `<file>.whole` [height, width, 3]: Pillow's crops for a model of SIZE and PATCH pixels.

The eight EXIF orientations show the same photo. Its pixels have the name `upright`.
Pillow must be version 13 or later, because src/media/resample.rs has the same order of passes.
"""

import math
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw, ImageOps
from safetensors.numpy import save_file

from places import check, path_of

FOLDER = path_of("media/media.expected.safetensors").parent
SIZE, PATCH, MAX_PATCHES = 24, 8, 1600
EXIF_ORIENTATION = 0x0112

SHAPES = {
    "landscape": (61, 43),
    "portrait": (37, 89),
    "square": (24, 24),
    "near": (25, 24),
    "shrunk": (150, 101),
    "enlarged": (7, 5),
    "column": (1, 50),
    "row": (70, 1),
    "dot": (1, 1),
}
UPRIGHT = 32, 16, 6


# --- the sources --------------------------------------------------------------------------------------------


def picture(width, height, seed):
    """Soft colours, hard edges and some noise: hard edges make a bicubic kernel overshoot."""
    y, x = np.mgrid[0:height, 0:width]
    x, y = (x + 0.5) / width, (y + 0.5) / height
    soft = np.stack([x, y, 0.5 + 0.5 * np.sin(7 * x + 5 * y)], -1)
    image = Image.fromarray((soft * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.ellipse([0.1 * width, 0.15 * height, 0.5 * width, 0.6 * height], fill=(255, 255, 255))
    draw.rectangle([0.4 * width, 0.5 * height, 0.9 * width, 0.8 * height], fill=(0, 0, 0))
    draw.line([0, height, width, 0], fill=(255, 0, 40))
    values = np.array(image)
    rng = np.random.default_rng(seed)
    rows, columns = height // 3, width // 3
    values[-rows:, -columns:] = rng.integers(0, 256, values[-rows:, -columns:].shape)
    return Image.fromarray(values)


def save(name, image, **options):
    image.save(FOLDER / name, **options)


def png_16_bit(samples):
    """A 16-bit RGB PNG, which Pillow reads but does not write."""
    height, width, _ = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows, 9)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def stored_as(upright, orientation):
    """Returns the picture as a camera in this `orientation` stores it: the inverse of the tag's rotation."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return upright.transpose(undo[orientation]) if orientation in undo else upright


def shapes():
    """Writes PNGs, which all decoders read identically, so that only the resampling can differ from Pillow."""
    for name, (width, height) in SHAPES.items():
        image = picture(width, height, 1) if min(width, height) > 2 else noise(width, height)
        save(f"{name}.png", image, optimize=True)


def noise(width, height):
    return Image.fromarray(np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8))


def kinds():
    image = picture(33, 26, 3)
    save("baseline.jpg", image, quality=92, subsampling=0)
    save("chroma.jpg", image, quality=85, subsampling=2)
    save("progressive.jpg", image, quality=90, progressive=True)
    save("grey.jpg", image.convert("L"), quality=92)
    save("cmyk.jpg", image.convert("CMYK"), quality=92)
    save("lossless.webp", image, lossless=True)
    save("lossy.webp", image, quality=85)
    save("photo.bmp", image.resize((17, 13)))
    save("photo.tga", image.resize((17, 13)))
    save("photo.ppm", image.resize((17, 13)))
    save("photo.tiff", image, compression="tiff_lzw")
    save("grey.png", image.convert("L"), optimize=True)
    save("palette.png", image.quantize(32), optimize=True)
    alpha = Image.fromarray(np.linspace(0, 255, 33 * 26).reshape(26, 33).astype(np.uint8))
    image.putalpha(alpha)
    save("alpha.png", image, optimize=True)
    save("alpha.webp", image, lossless=True)
    samples = np.random.default_rng(4).integers(0, 65536, (13, 17, 3))
    (FOLDER / "deep.png").write_bytes(png_16_bit(samples))
    first, second = picture(31, 22, 5).quantize(64), Image.new("RGB", (31, 22), (9, 200, 9)).quantize(64)
    save("frames.gif", first, save_all=True, append_images=[second], duration=100)


def orientations():
    upright = picture(*UPRIGHT)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = orientation
        save(f"exif{orientation}.jpg", stored_as(upright, orientation), quality=95, subsampling=0, exif=exif)


# --- Pillow's results ---------------------------------------------------------------------------------------


def opened(path):
    with Image.open(path) as image:
        image.load()
        if path.name == "deep.png":
            # Pillow would drop the low byte.
            return Image.fromarray(deep_pixels(path))
        image = ImageOps.exif_transpose(image)
        if "A" in image.getbands() or "transparency" in image.info:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, (255, 255, 255, 255))
            return Image.alpha_composite(white, image).convert("RGB")
        return image.convert("RGB")


def deep_pixels(path):
    data = path.read_bytes()
    start = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[start - 4 : start])
    rows = np.frombuffer(zlib.decompress(data[start + 4 : start + 4 + length]), np.uint8).reshape(13, -1)[:, 1:]
    samples = np.frombuffer(rows.tobytes(), ">u2").reshape(13, 17, 3)
    return np.round(samples / 257).astype(np.uint8)


def centre(image):
    """Short side to SIZE, then the centred square, as torchvision rounds it."""
    width, height = image.size
    if width <= height:
        resized = (SIZE, SIZE * height // width)
    else:
        resized = (SIZE * width // height, SIZE)
    left, top = (int(round((outer - SIZE) / 2.0)) for outer in resized)
    return image.resize(resized, Image.BICUBIC).crop((left, top, left + SIZE, top + SIZE))


def whole(image):
    """The framing of src/geometry.rs: the whole photo on whole patches."""
    width, height = image.size
    scale = min(SIZE // PATCH / min(width, height), math.sqrt(MAX_PATCHES / (width * height)))
    columns, rows = (max(1, min(math.floor(side * scale + 0.5), MAX_PATCHES)) for side in (width, height))
    rows = max(1, min(rows, MAX_PATCHES // columns))
    return image.resize((columns * PATCH, rows * PATCH), Image.BICUBIC)


def main():
    shapes()
    kinds()
    orientations()
    expected = {"upright": np.array(picture(*UPRIGHT))}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix == ".safetensors":
            continue
        image = opened(path)
        if path.stem.startswith("exif"):
            apart = np.abs(np.array(image).astype(int) - expected["upright"]).mean()
            check(apart < 3, f"{path.name} is not the upright photo: it differs by {apart} levels")
        elif path.stem not in SHAPES:
            expected[f"{path.name}.pixels"] = np.array(image)
        if path.suffix == ".png":
            expected[f"{path.name}.centre"] = np.array(centre(image))
        if path.stem in ("landscape", "portrait", "shrunk", "enlarged"):
            expected[f"{path.name}.whole"] = np.array(whole(image))
    save_file(expected, FOLDER / "media.expected.safetensors")


if __name__ == "__main__":
    main()
