"""The benchmark's job as its published walk-through does it: scikit-video reads clips, Keras trains and predicts.

Runs in an environment of its own (see bench/decode/peers.py), without primatrix. Reads clip paths from stdin, one per
line, and prints one JSON line: clips/s of reading, training and predicting.
"""

import json
import os
import sys
import time

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import skvideo.io
from keras import layers

BATCH, CLASSES = 32, 24


def read_batch(paths: list[str]) -> np.ndarray:
    """Grey, every second of 30 frames, as `reduce_frames` does; a shorter clip repeats its last frame."""
    batch = np.zeros((len(paths), 15, 16, 16, 1), np.float32)
    for i, path in enumerate(paths):
        frames = skvideo.io.vread(path, as_grey=True)[::2][:15]
        batch[i, : len(frames)] = frames
        batch[i, len(frames) :] = frames[-1]
    return batch


def build_model() -> keras.Sequential:
    each = layers.TimeDistributed
    model = keras.Sequential([
        keras.Input((15, 16, 16, 1)),
        each(layers.Conv2D(64, (3, 3), activation="relu")),
        each(layers.MaxPooling2D((2, 2), strides=(1, 1))),
        each(layers.Conv2D(128, (4, 4), activation="relu")),
        each(layers.MaxPooling2D((2, 2), strides=(2, 2))),
        each(layers.Conv2D(256, (4, 4), activation="relu")),
        each(layers.MaxPooling2D((2, 2), strides=(2, 2))),
        each(layers.Flatten()),
        each(layers.Dropout(0.2)),
        layers.LSTM(256, dropout=0.5),
        layers.Dense(CLASSES, activation="sigmoid"),
    ])  # fmt: skip
    model.compile(optimizer="rmsprop", loss="binary_crossentropy")
    return model


def main() -> None:
    paths = sys.stdin.read().split("\n")
    paths = [path for path in paths if path]
    model = build_model()
    labels = (np.random.default_rng(0).random((BATCH, CLASSES)) < 0.05).astype(np.float32)
    warm = read_batch(paths[:BATCH])
    model.train_on_batch(warm, labels)
    model.predict_on_batch(warm)
    seconds = dict.fromkeys(("read", "train", "predict"), 0.0)
    clips = 0
    for start in range(0, len(paths) - BATCH + 1, BATCH):
        began = time.perf_counter()
        x = read_batch(paths[start : start + BATCH])
        read = time.perf_counter()
        model.train_on_batch(x, labels)
        trained = time.perf_counter()
        model.predict_on_batch(x)
        done = time.perf_counter()
        for name, part in (("read", read - began), ("train", trained - read), ("predict", done - trained)):
            seconds[name] += part
        clips += BATCH
    print(json.dumps({"clips": clips, **{f"{name}_clips_per_s": clips / s for name, s in seconds.items()}}))


if __name__ == "__main__":
    main()
