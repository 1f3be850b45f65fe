"""Recipes of published results: a base for each paper, a row for each result.

A row's `source` says where its values were read. The published code decides where a paper is silent
or could not be read.

Deviation from all of them: the published code of Kuleshov, AFiLM and TFNet keeps the weights of the
last epoch. Kuleshov's and TFNet's validate on their test files, AFiLM's reads validation files but
never uses them. Here, a run keeps the weights of the epoch with the lowest validation loss on the
valid split.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...data_gen.augment import Augmentation
from ..recipe import Adam, Adversarial, Recipe

# The papers share 16 kHz, patches of 8192 samples and, unless a base says otherwise, Kuleshov's
# low-rate waves and loss. Kuleshov's multi-speaker Makefile makes low-rate waves without a low-pass
# filter, unlike the paper: to follow it, use --protocol=subsample_spline in wideband-prepare and
# --set=protocol=subsample_spline. The Makefile also keeps a random quarter of the multi-speaker
# patches; here all are used.
STRIDES = {"single": 4096, "multi": 8192, "piano": 4096}

# Learning rate, batch and epochs are those of the README's command, the moments those of
# src/run.py, whose own defaults are a learning rate of 1e-3, batches of 128 and 100 epochs.
AUDIOUNET = Recipe(
    name="audiounet",
    source="Kuleshov et al. 2017; README and src/run.py of kuleshov/audio-super-res",
    model="audiounet",
    batch=64,
    losses={"patch_rmse": 1.0},
    optimizer=Adam(learning_rate=3e-4, epsilon=1e-8),
    epochs=120,
)

# One script trains both networks. The epochs are the paper's, which its author confirms in issue 27
# of the repository; the README has 120. To train as the code did up to March 2021, on Keras 1.2.1:
# --set=arguments.initializer=keras1 for both, --set=arguments.gates=hard_sigmoid for TFiLM (see
# models/tfilm.py).
TFILM = replace(
    AUDIOUNET,
    name="tfilm",
    source="Birnbaum et al. 2019; README, src/run.py and issue 27 of kuleshov/audio-super-res",
    model="tfilm",
    epochs=50,
)

# The loss is the code's. The code's default of 20 epochs differs from the paper's 50.
AFILM = replace(
    AUDIOUNET,
    name="afilm",
    source="Rakotonirina 2021, section 4.2; codes/train.py of ncarraz/AFILM",
    model="afilm",
    batch=16,
    losses={"mse": 1.0},
    optimizer=Adam(learning_rate=3e-4, epsilon=1e-7),
    epochs=50,
)

# Deviations: the code draws ten crops from every recording and removes the high band from each
# crop; here patches follow each other, and the high band is removed from the whole wave. The thesis
# of 2021 reads the paper with a learning rate of 3e-5, strides of 2048, and without frames below an
# RMS of 0.05.
TFNET = Recipe(
    name="tfnet",
    source="Lim et al. 2018; tfnet-2018.flags and train.py of moodoki/tfnet",
    model="tfnet",
    protocol="decimate_fft",
    stride=8192,
    batch=128,
    losses={"mse": 1.0},
    optimizer=Adam(learning_rate=1e-4, epsilon=1e-8, schedule="polynomial"),
    epochs=200,
)

# src/run.py trains the network in dnn.py as it trains AudioUNet. The dense baseline of the paper of
# 2017 is another network, on spectra. To train as the code ran, --set=arguments.skips=false and
# --set=arguments.moving_statistics=false (see models/dnn.py).
DNN = replace(
    AUDIOUNET,
    name="dnn",
    source="dnn.py of kuleshov/audio-super-res, by its README's command for AudioUNet",
    model="dnn",
)

# Moments and epsilon are the code's; the text has 0.9 and 1e-7. Training stops after 25,000 steps
# without a better loss or SNR, which are 25 of its epochs of 1015 steps, and at the latest after
# 500,000 steps. In multi-speaker training, the text drops frames below the RMS; the code trims the
# ends of the files instead.
THESIS = Recipe(
    name="gionet",
    source="Bini 2021, chapter 4; src/params.py and src/training_ops.py of its code",
    model="gionet",
    stride=2048,
    batch=128,
    augmentation=Augmentation(silence_rms=0.05),
    optimizer=Adam(learning_rate=3e-5, beta_1=0.99, epsilon=1e-6, schedule="polynomial"),
    epochs=492,
    patience=25,
    validation_seconds=1e6,
)

# name: (what differs from THESIS, epochs of the thesis's multi-speaker run)
THESIS_NETWORKS: dict[str, tuple[dict[str, Any], int]] = {
    "gionet": ({}, 175),
    "gionet2": ({"model": "gionet2"}, 246),
    "bini_tfnet": ({"arguments": {"variant": "tfnet"}}, 127),
    "bini_tfilm": (
        {
            "arguments": {"variant": "tfilmnet"},
            "optimizer": replace(THESIS.optimizer, learning_rate=1e-5, schedule="constant"),
        },
        351,
    ),
}

# The last stage of the project, which tried three depths. Its waves have 48 kHz and are 16-bit
# integers; here they are in [-1, 1].
KERAS_UNET = Recipe(
    name="keras_unet",
    source="Sut 2022; README and Project/constants.py of sutgeorge/Audio-Super-Resolution",
    model="keras_unet",
    sample_rate=48000,
    protocol="subsample_spline",
    patch=4096,
    stride=2048,
    batch=16,
    losses={"mse": 1.0},
    optimizer=Adam(learning_rate=1e-4),
    epochs=100,
)


# The code's 90 is the weight of the mean of the real and the imaginary part, which the losses
# `complex_spectrum` and `consistency` add up. An epoch of the code has 2558 steps, one random crop
# of each recording; here, all patches of a recording follow each other. The paper does not print
# the number of epochs; this is the code's default. Deviation: the code decays all weights, here
# biases are left out.
APBWE = Recipe(
    name="apbwe",
    source="Lu et al. 2024; train_16k.py and train_48k.py of yxlu-0102/AP-BWE",
    model="apbwe",
    protocol="hann_sinc",
    patch=8000,
    stride=8000,
    batch=16,
    losses={"amplitude": 45.0, "phase": 100.0, "complex_spectrum": 45.0, "consistency": 45.0},
    critics={
        "multi_period": 1.0,
        "multi_resolution_amplitude": 0.1,
        "multi_resolution_phase": 0.1,
    },
    optimizer=Adam(
        learning_rate=2e-4,
        beta_1=0.8,
        beta_2=0.99,
        epsilon=1e-8,
        weight_decay=0.01,
        schedule="exponential",
        clip_norm=10.0,
    ),
    epochs=3100,
    steps_per_epoch=2558,
)

# The published code removes noise: the losses, their weights, the optimizer and the epochs, of one
# crop of each of VoiceBank's 11,572 recordings, are those of its training. What the paper changes
# for super-resolution was not readable for us. An interpolation with a spline leaves images in the
# high band, which the mask can use (models/cmgan.py). Deviations: the critic predicts another score
# than PESQ (train/methods/adversarial.py) and takes its step before the network, not after it. The
# code repeats recordings that are shorter than a patch, and decays all weights; here, these
# recordings are left out, and biases do not decay.
CMGAN = Recipe(
    name="cmgan",
    source="Cao et al. 2022; src/train.py of ruizhecao96/CMGAN",
    model="cmgan",
    patch=32000,
    stride=32000,
    batch=4,
    losses={"complex_spectrum": 0.1, "magnitude": 0.9, "relative_l1": 0.2},
    critics={"metric": 0.05},
    adversarial=Adversarial("least_squares", feature_matching=0.0, critic_rate=2.0),
    optimizer=Adam(learning_rate=5e-4, epsilon=1e-8, weight_decay=0.01, schedule="halving"),
    epochs=120,
    steps_per_epoch=2893,
)

# The code resamples with librosa, whose method is soxr's, as that of the protocol. It trains on
# whole recordings of one speaker, which are also those of its tests. Batch, patch and epochs are
# ours. The README of a sister project adds the distance between the latents of wav2vec 2.0 to the
# loss; --set=losses.recognizer_mel=0.01 adds what recognizers take as input.
ASR_UNET = Recipe(
    name="asr_unet",
    source="Padala 2025; notebooks of hemanthpadala03/ASR-Super-Resolution; batch and length ours",
    model="asr_unet",
    ratio=8,
    protocol="sinc",
    patch=32768,
    stride=16384,
    batch=16,
    losses={"mse": 1.0},
    optimizer=Adam(learning_rate=1e-3),
    epochs=100,
)


def rows() -> Iterator[Recipe]:
    """Yields all published rows, named NETWORK_DATA_RATIO; those of AP-BWE name the rate as well.

    DATA is "single" (one speaker of VCTK), "multi" (many), or "piano": Beethoven's sonatas as
    SampleRNN's authors cut them, 32 recordings in pieces of 8 s. The last 256 pieces are for
    testing, the 256 before them for validation.
    """
    for base, ratios in ((AUDIOUNET, (2, 4, 6)), (TFILM, (2, 4, 8)), (AFILM, (2, 4, 8))):
        for data, stride in STRIDES.items():
            for ratio in ratios:
                name = f"{base.name}_{data}_{ratio}x"
                yield replace(base, name=name, ratio=ratio, stride=stride)
    for data in ("single", "multi"):
        for ratio in (2, 4, 8):
            yield replace(TFNET, name=f"tfnet_{data}_{ratio}x", ratio=ratio)
        for ratio in (2, 4, 6):
            name, stride = f"dnn_{data}_{ratio}x", STRIDES[data]
            yield replace(DNN, name=name, ratio=ratio, stride=stride)
    yield from _thesis_rows()
    for sample_rate, ratios in ((16000, (2, 4, 8)), (48000, (2, 3, 4, 6))):
        for ratio in ratios:
            name = f"apbwe_{sample_rate // 1000}k_{ratio}x"
            yield replace(APBWE, name=name, sample_rate=sample_rate, ratio=ratio)
    for ratio in (2, 4, 8):
        yield replace(CMGAN, name=f"cmgan_multi_{ratio}x", ratio=ratio)
    for attention in ("none", "se", "cbam", "eca"):
        name = f"asr_unet_{attention}_8x"
        yield replace(ASR_UNET, name=name, arguments={"attention": attention})
    for levels in (3, 4, 5):
        name = f"keras_unet_{levels}_levels_4x"
        yield replace(KERAS_UNET, name=name, arguments={"levels": levels})


def _thesis_rows() -> Iterator[Recipe]:
    for network, (differences, epochs) in THESIS_NETWORKS.items():
        multi = replace(THESIS, name=f"{network}_multi_4x", **differences)
        yield multi
        # As many epochs as the multi-speaker run took, without early stopping. In the thesis,
        # Adam's moments and its step count continue; here they start anew.
        yield replace(
            multi,
            name=f"{network}_single_4x",
            starts_from=multi.name,
            augmentation=Augmentation(),
            epochs=epochs,
            patience=None,
        )
