"""What a file's data tracks carry beside pictures and sound, packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.stream import Discard

from mtbsync_engine.media.container import cannot_be_read_on, decoded, open_video, seek


@dataclass(frozen=True)
class DataPacket:
    """What one packet holds, and when it begins: `t_s` seconds after the file's first picture."""

    t_s: float
    duration_s: float
    data: bytes


def read_data(path: Path, begins: bytes) -> Iterator[DataPacket]:
    """The packets of the file's data track that begin with `begins`, in order; none without such a track.

    Of pictures and sound nothing is read but the first picture, which tells where 0 is.

    Raises:
        MediaError: the file cannot be opened, or read to its end.
    """
    with open_video(path, n_threads=1) as video:
        tracks = video.container.streams.data
        first = next(decoded(video), None) if tracks else None
        if first is None:
            return
        zero_s, _ = first
        seek(video, -1.0)
        video.stream.discard = Discard.all
        for track in tracks:
            track.discard = Discard.default
        chosen = None
        try:
            for packet in video.container.demux(*tracks):
                if packet.pts is None or packet.size == 0 or chosen not in (None, packet.stream):
                    continue
                data = bytes(packet)
                if data.startswith(begins):
                    chosen = packet.stream
                    tick_s = float(packet.time_base)
                    yield DataPacket(packet.pts * tick_s - zero_s, (packet.duration or 0) * tick_s, data)
                elif chosen is None:
                    # Cameras keep several: what repairs a broken file comes with every picture.
                    packet.stream.discard = Discard.all
        except av.FFmpegError as error:
            raise cannot_be_read_on(path, error) from error
