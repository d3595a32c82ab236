"""Other people's programs that line recordings up by their sound, each in an environment of its own."""

from __future__ import annotations

import json
import subprocess
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.answers import Answer
from scripts.bench.foreign import environment_with, ffmpeg_folder, python_with

from mtbsync_engine.session import Sound

# As long as the longest of the short pairs; its own default would miss most of them.
TAKE_S = 60
_ANSWER = """
import contextlib, json, sys, time
for line in sys.stdin:
    master, other = json.loads(line)
    began = time.perf_counter()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            offset_s, score = offset(master, other)
        took_s = time.perf_counter() - began
        answer = {"offset_s": float(offset_s), "drift_ppm": 0.0, "score": score, "took_s": took_s}
    except Exception as error:
        answer = {"failed": repr(error)[:300]}
    print(json.dumps(answer), flush=True)
"""
# With the defaults of its command line.
_OFFSET_FINDER = """
from audio_offset_finder.audio_offset_finder import find_offset_between_files
def offset(master, other):
    found = find_offset_between_files(master, other, fs=8000, trim=15 * 60, hop_length=128)
    return found["time_offset"], float(found["standard_score"])
"""
# Its function reads the command line too, for whatever it is not given. It says which of the two to cut.
_SYNCSTART = f"""
import sys
sys.argv = ["syncstart"]
from syncstart import file_offset
def offset(master, other):
    cut, offset_s = file_offset(
        in1=master, in2=other, take={TAKE_S}, show=False, quiet=True, video=False, crop=False,
        begin=0, normalize=False, denoise=False, lowpass=0,
    )
    return (offset_s if cut == master else -offset_s), None
"""


@dataclass(frozen=True)
class Listener:
    """A program: what it needs, and code that defines `offset(master, other)` for two files."""

    name: str
    requirements: tuple[str, ...]
    code: str


LISTENERS = (
    Listener("audio-offset-finder", ("audio-offset-finder==0.5.5", "numpy<2"), _OFFSET_FINDER),
    Listener("syncstart", ("syncstart==1.1.1",), _SYNCSTART),
)


def ask(listener: Listener, pairs: Sequence[tuple[Path, Path]]) -> list[Answer]:
    """What it says of each master and other.

    Raises `subprocess.CalledProcessError` where it cannot be installed, or ends before it has answered.
    """
    python = python_with(f"{listener.name}-venv", *listener.requirements)
    done = subprocess.run(
        [python, "-c", listener.code + _ANSWER],
        env=environment_with(ffmpeg_folder(python)),
        input="".join(json.dumps([str(path) for path in pair]) + "\n" for pair in pairs),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def write_wav(path: Path, sound: Sound) -> Path:
    """The sound as a file for them; returns `path`."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(sound.samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(sound.rate_hz)
        file.writeframes(sound.samples[:].astype("<i2").tobytes())
    return path
