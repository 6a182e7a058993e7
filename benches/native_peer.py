"""The image tower in ONNX Runtime on the CPU, for `cargo xtask bench` to hold the native tool against.

native_peer.py VISION.onnx: medians of the encoder's time by number of threads, in milliseconds.
"""

import statistics
import sys
import time

import numpy as np
import onnxruntime

ROUNDS = 15


def main(model):
    crop = np.random.default_rng(0).standard_normal((1, 3, 224, 224), np.float32)
    for threads in (1, 2):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        feeds = {session.get_inputs()[0].name: crop}
        times = []
        for _round in range(ROUNDS + 2):
            start = time.perf_counter()
            session.run(None, feeds)
            times.append(time.perf_counter() - start)
        print(f"onnxruntime {onnxruntime.__version__}, {threads} threads: {statistics.median(times[2:]) * 1e3:.0f} ms")


if __name__ == "__main__":
    main(sys.argv[1])
