"""Clips of every kind that headlamp opens, with ffprobe's results.

Each frame shows its own number: eight bars in the upper half, the most significant bit first, white for 1. The
lower half shows the same bars inverted, so that a wrongly decoded frame contradicts itself. fixtures/video/ holds the
clips and expected.json: for each clip its stream and, in decoding order, its packets as
[pts, duration, size, CRC-32 of the bytes, is a keyframe, is hidden by an edit list].

ffmpeg and ffprobe must be on PATH. CI does not need them.
"""

import json
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from places import check, path_of

FOLDER = path_of("video/expected.json").parent
WIDTH, HEIGHT, FRAMES, BITS = 128, 64, 40, 8

X264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "30"]
H264 = [*X264, "-bf", "3", "-g", "16", "-x264-params", "b-pyramid=normal:scenecut=0"]
VP9 = ["-c:v", "libvpx-vp9", "-b:v", "0", "-crf", "50", "-g", "16", "-auto-alt-ref", "1", "-lag-in-frames", "12"]
AV1 = ["-c:v", "libaom-av1", "-crf", "50", "-b:v", "0", "-g", "16", "-cpu-used", "8", "-pix_fmt", "yuv420p"]
BITEXACT = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1"]

# The name of the clip, its frame rate, and its encoding.
CLIPS = [
    ("h264.mp4", "30000/1001", H264),
    ("open_gop.mp4", "25", [*X264, "-bf", "3", "-g", "16", "-x264-params", "open-gop=1:scenecut=0"]),
    ("fragmented.mp4", "25", [*H264, "-movflags", "frag_keyframe+empty_moov+default_base_moof"]),
    ("faststart.mp4", "10", [*H264, "-movflags", "+faststart"]),
    ("vfr.mp4", "30", ["-vf", "setpts=(N+floor(N*N/20))/30/TB", "-fps_mode", "vfr", *H264]),
    ("wide.mp4", "25", ["-vf", "setsar=4/3", *X264]),
    ("hevc.mp4", "25", ["-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "keyint=16:log-level=none:info=0"]),
    ("vp9.mp4", "25", VP9),
    ("av1.mp4", "25", AV1),
    ("vp8.webm", "30", ["-c:v", "libvpx", "-b:v", "60k", "-g", "16", "-auto-alt-ref", "1", "-lag-in-frames", "12"]),
    ("vp9.webm", "30", VP9),
    ("av1.webm", "30", AV1),
    ("h264.mkv", "25", H264),
    ("live.webm", "30", ["-c:v", "libvpx", "-b:v", "60k", "-g", "16", "-live", "1", "-f", "webm"]),
    ("mpeg4.mp4", "25", ["-c:v", "mpeg4", "-q:v", "10"]),
]
# Two minutes. The frames count to 255 and start again.
LONG = "long.webm", "5", 600, ["-c:v", "libvpx-vp9", "-b:v", "0", "-crf", "60", "-g", "128", "-auto-alt-ref", "0"]
# Two minutes of a usual size: a disc moves in a circle over a still ground.
ROUND = "two_minutes.webm", "5", 600, (640, 360), ["-c:v", "libvpx-vp9", "-b:v", "0", "-crf", "55", "-g", "100"]
# Clips with sound.
SOUND = {
    "fragmented.mp4": ["-c:a", "aac", "-b:a", "8k"],
    "vp9.webm": ["-c:a", "libopus", "-b:a", "8k"],
}
# A clip without its first three quarters of a second. The file contains them, and an edit list hides them.
TRIMMED = "trimmed.mp4", "h264.mp4", 0.75
# The same clip, which players must turn a quarter clockwise.
ROTATED = "rotated.mp4", "h264.mp4"


def ffmpeg(*options):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *options], check=True)


def frame(number, width=WIDTH, height=HEIGHT):
    """Grey levels [height, width] of a frame that shows `number`."""
    bits = np.array([number >> (BITS - 1 - bit) & 1 for bit in range(BITS)], bool)
    row = np.repeat(bits, width // BITS)
    half = np.where(row, 235, 16).astype(np.uint8)
    return np.concatenate([np.tile(half, (height // 2, 1)), np.tile(251 - half, (height // 2, 1))])


def round_trip(number, frames, width, height):
    """RGB [height, width, 3] of a red disc after `number` of `frames` steps of five rounds around the middle."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    turn = 2 * np.pi * 5 * number / frames
    at_x, at_y = width * (0.5 + 0.25 * np.cos(turn)), height * (0.5 + 0.25 * np.sin(turn))
    wave = 22 * (np.sin(9 * x / width) + np.cos(7 * y / height + 3 * x / width))
    ground = np.stack([90 + wave, 120 + wave, 100 - wave], -1)
    disc = np.hypot(x - at_x, y - at_y) < 0.2 * height
    return np.where(disc[..., None], [225, 60, 30], ground).astype(np.uint8)


def encode_round_trip(raw):
    name, rate, frames, (width, height), options = ROUND
    with raw.open("wb") as file:
        for number in range(frames):
            file.write(round_trip(number, frames, width, height).tobytes())
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", rate, "-i", str(raw)]
    ffmpeg(*source, *options, "-pix_fmt", "yuv420p", *BITEXACT, str(FOLDER / name))


def encode(raw, name, rate, options):
    source = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH}x{HEIGHT}", "-r", rate, "-i", str(raw)]
    sound = SOUND.get(name, [])
    if sound:
        source += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-shortest"]
    if "-pix_fmt" not in options:
        options = [*options, "-pix_fmt", "yuv420p"]
    ffmpeg(*source, *options, *sound, *BITEXACT, str(FOLDER / name))


def turned(clip):
    """Returns the clip with the matrix of its track header changed from no rotation to a quarter clockwise."""
    one = 1 << 16
    upright = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    quarter = struct.pack(">9i", 0, one, 0, -one, 0, 0, HEIGHT * one, 0, 1 << 30)
    header = clip.index(b"tkhd")
    at = clip.index(upright, header)
    check(at < header + 60, "the matrix is not in the track header")
    return clip[:at] + quarter + clip[at + len(upright) :]


def probe(path):
    """Returns the stream and its packets from ffprobe."""
    show = ["-show_streams", "-show_packets", "-show_data_hash", "CRC32", "-select_streams", "v:0", "-of", "json"]
    answer = json.loads(subprocess.check_output(["ffprobe", "-v", "error", *show, str(path)]))
    stream = answer["streams"][0]
    turns = [data["rotation"] for data in stream.get("side_data_list", []) if "rotation" in data]
    packets = [
        [
            packet["pts"],
            packet.get("duration"),
            int(packet["size"]),
            packet["data_hash"].split(":")[1],
            "K" in packet["flags"],
            "D" in packet["flags"],
        ]
        for packet in answer["packets"]
    ]
    return {
        "codec": stream["codec_name"],
        "tag": stream["codec_tag_string"],
        "width": stream["width"],
        "height": stream["height"],
        "sample_aspect_ratio": stream.get("sample_aspect_ratio", "1:1"),
        # ffprobe counts anticlockwise.
        "clockwise": -turns[0] % 360 if turns else 0,
        "time_base": stream["time_base"],
        "packets": packets,
    }


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "frames.raw"
        raw.write_bytes(b"".join(frame(number).tobytes() for number in range(FRAMES)))
        for name, rate, options in CLIPS:
            encode(raw, name, rate, options)
        name, rate, frames, options = LONG
        raw.write_bytes(b"".join(frame(number % 256).tobytes() for number in range(frames)))
        encode(raw, name, rate, options)
        encode_round_trip(raw)
    name, source, start = TRIMMED
    ffmpeg("-ss", str(start), "-i", str(FOLDER / source), "-c", "copy", *BITEXACT, str(FOLDER / name))
    name, source = ROTATED
    (FOLDER / name).write_bytes(turned((FOLDER / source).read_bytes()))
    names = sorted([*(clip[0] for clip in CLIPS), TRIMMED[0], ROTATED[0]])
    expected = {name: probe(FOLDER / name) for name in names}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(told)}" for name, told in expected.items())
    (FOLDER / "expected.json").write_text(f"{{\n{lines}\n}}\n")
    check(all(len(told["packets"]) >= 16 for told in expected.values()), "a clip has too few packets")


if __name__ == "__main__":
    main()
