"""Runs the default pack in ONNX Runtime, as a peer of the native library in benches/native_peers.rs.

native_peer.py FOLDER SUFFIX THREADS [PROVIDER] reads lines, each "encoder" or "texts". It answers each line with the
seconds that one crop, or ten texts of seven tokens, took.
"""

import sys
import time

import numpy as np
import onnxruntime

INPUTS = {
    "encoder": ("vision", {"crop": np.random.default_rng(0).standard_normal((1, 3, 224, 224), np.float32)}),
    "texts": ("text", {"tokens": (1000 + np.arange(70, dtype=np.int64) * 37 % 20000).reshape(10, 7)}),
}


def main(folder, suffix, threads, provider="CPUExecutionProvider"):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    sessions = {}
    for name, _feeds in INPUTS.values():
        model = f"{folder}/{name}{suffix}"
        sessions[name] = onnxruntime.InferenceSession(model, options, providers=[provider])
    for line in sys.stdin:
        name, feeds = INPUTS[line.strip()]
        start = time.perf_counter()
        sessions[name].run(None, feeds)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
