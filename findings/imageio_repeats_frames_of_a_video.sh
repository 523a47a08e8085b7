#!/bin/sh
# Packages: av 18.1.0, imageio 2.38.1, imageio-ffmpeg 0.8.1, numpy 2.4.6
# Expected: imageio.v3.imread of a video gives each of its frames once.
# Seen: Where the time between frames varies (phones, endoscopes, stage scans), it repeats frames until their rate is
#   constant, without a message: 40 for a video of 20, and some frames twice or three times. PyAV gives 20.
# For a user of this project: Read videos with plugin="pyav", or remove equal frames before a split into training and
#   test: copies of one frame are otherwise in both.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
venv=${FINDINGS_VENV:-$folder/venv}
[ -d "$venv" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet av==18.1.0 imageio==2.38.1 imageio-ffmpeg==0.8.1 numpy==2.4.6

cd "$folder"
"$venv/bin/python" - <<'EOF'
from fractions import Fraction

import av
import imageio.v3 as imageio
import numpy as np

with av.open("video.mp4", "w") as file:
    stream = file.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
    stream.codec_context.time_base = Fraction(1, 1000)
    time = 0
    for number in range(20):
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 12 * number, np.uint8), format="rgb24")
        frame.pts, frame.time_base = time, Fraction(1, 1000)
        time += 40 if number % 2 else 120  # milliseconds
        file.mux(stream.encode(frame))
    file.mux(stream.encode())
frames = {
    "imageio": imageio.imread("video.mp4"),
    'imageio, plugin="pyav"': imageio.imread("video.mp4", plugin="pyav"),
}
counts = {name: len(values) for name, values in frames.items()}
print("frames of a video of 20:", counts)
brightness = frames["imageio"].mean((1, 2, 3)).round().astype(int)
print("brightness of the first by imageio:", brightness[:12].tolist(), "different:", len(set(brightness.tolist())))
assert counts["imageio"] == 40 and counts['imageio, plugin="pyav"'] == 20 and len(set(brightness.tolist())) == 20
EOF
