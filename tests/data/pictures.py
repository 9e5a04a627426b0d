"""Pictures for the image tests: small files of every kind, made on the spot."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from jumok.data.image_file import Pixels


def noise(width: int, height: int, channels: int = 3, seed: int = 0) -> Pixels:
    """Random pixels, the same for the same arguments."""
    pixels: Pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return pixels


def save(path: Path, pixels: Pixels) -> Path:
    """`pixels` as the file `path`, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(path)
    return path


def folders(root: Path, counts: dict[str, int], size: int = 8, seed: int = 0) -> Path:
    """`root/<class>/<number>.png` with so many random images of each class, no two alike."""
    number = seed * 1000
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            number += 1
            save(root / name / f"{i}.png", noise(size, size, seed=number))
    return root


def bomb(path: Path, width: int, height: int) -> Path:
    """A PNG that claims to be huge: a few bytes that would become gigabytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")))
    return path
