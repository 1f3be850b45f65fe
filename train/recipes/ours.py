"""Recipes of our own results, and those of the comparison in docs/results.md."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ... import models
from ...data_gen.augment import Augmentation
from ..recipe import Adam, Adversarial, Recipe
from .published import APBWE, CMGAN

# For two CPU cores: a quarter of the width, half an hour in mixed_bfloat16.
LAPTOP = Recipe(
    name="audiounet_laptop_4x",
    source="ours: the network of Kuleshov et al. 2017 at a quarter of its width",
    model="audiounet",
    arguments={"width": 0.25},
    batch=8,
    # The spectral weight was chosen on validation data among 0.001, 0.01, 0.02 and 0.03: the
    # largest with an SNR above that of spline interpolation.
    losses={"patch_rmse": 1.0, "log_spectral": 0.01},
    optimizer=Adam(learning_rate=5e-4, schedule="cosine"),
    epochs=20,
    steps_per_epoch=140,
    validation_seconds=60.0,
)

DEMO = replace(
    LAPTOP,
    name="demo",
    source="ours: an eighth of the width, for five minutes on the embedded corpus",
    arguments={"width": 0.125},
    optimizer=replace(LAPTOP.optimizer, learning_rate=1e-3),
    epochs=10,
    steps_per_epoch=100,
    validation_seconds=30.0,
)

# The shipped audiounet-2x and audiounet-4x; 20 minutes each on two CPU cores.
CLASSIC = replace(
    LAPTOP,
    source="ours: the network of Kuleshov et al. 2017 at 0.15 of its width, with a spectral term",
    arguments={"width": 0.15},
    # With the filter of the protocol only, the network would learn to invert it.
    augmentation=Augmentation(random_lowpass=0.5),
    optimizer=replace(LAPTOP.optimizer, learning_rate=1e-3),
    steps_per_epoch=200,
    validation_seconds=150.0,
)

# The networks for phones; 7 minutes each on two CPU cores.
STREAM = replace(
    LAPTOP,
    source="ours: the network for phones",
    model="streamnet",
    arguments={},
    # The spectral weight was chosen on validation data: with 0.005, the SNR was within 0.04 dB of
    # that of spline interpolation.
    losses={"patch_rmse": 1.0, "log_spectral": 0.0015},
    optimizer=replace(LAPTOP.optimizer, learning_rate=1e-3),
    epochs=20,
    steps_per_epoch=300,
)

# The networks for speech; twelve minutes each on two CPU cores (docs/design-notes.md). Patches
# last two seconds, since the receptive field reaches more than a second to either side.
SPEECH = replace(
    STREAM,
    source="ours: the network for speech",
    model="framenet",
    patch=32768,
    stride=16384,
    augmentation=Augmentation(gain_db=10.0, random_lowpass=0.3, speed_perturbation=0.15),
    epochs=16,
    steps_per_epoch=100,
    validation_seconds=600.0,
)

# From 4 and 2 kHz. In decibels, since recordings with little above 2 kHz lose SNR to any added high
# band.
SPEECH_LOW = replace(
    SPEECH,
    losses={"patch_log_rmse": 1.0, "log_spectral": 1.0},
    optimizer=replace(SPEECH.optimizer, weight_decay=2.0),
)

# Further training for recognizers; twelve minutes each on two CPU cores.
SPEECH_ASR = replace(
    SPEECH_LOW,
    source="ours: the network for speech, trained further by what Whisper hears",
    losses={"whisper": 10.0, "log_spectral": 0.3},
    recognizer="base",
    optimizer=replace(SPEECH_LOW.optimizer, learning_rate=5e-4, average=0.99),
    epochs=8,
    steps_per_epoch=75,
)

# The network for speech of any band. The shipped one was trained on an accelerator, on longer
# patches (benchmarks/train_packed.py).
ANY_BAND = Recipe(
    name="speech",
    source="ours: the network for speech of any band",
    model="overtonenet",
    ratio=1,
    patch=24000,
    stride=12000,
    batch=8,
    augmentation=Augmentation(gain_db=15.0, random_band=True, speed_perturbation=0.15),
    # The distance between the waves' spectra makes the predicted amplitudes those of a wave.
    losses={"amplitude": 45.0, "log_spectral": 30.0},
    optimizer=Adam(
        learning_rate=1e-3,
        beta_1=0.8,
        beta_2=0.99,
        weight_decay=0.1,
        schedule="cosine",
        clip_norm=10.0,
        average=0.999,
    ),
    epochs=27,
    steps_per_epoch=300,
    validation_seconds=150.0,
)

# The network for phones, for speech of any band. The weights of the losses are those of AP-BWE,
# which averages real and imaginary parts where these losses add them up, except that of the phase,
# most of which cannot be predicted.
ANY_BAND_STREAM = replace(
    ANY_BAND,
    name="phone",
    source="ours: the network for phones, for speech of any band",
    model="phonenet",
    losses={
        **ANY_BAND.losses,
        "phase": 20.0,
        "complex_spectrum": 45.0,
        "consistency": 45.0,
    },
)

# The network for any sound at 48 kHz, first without critics. Levels are not changed: the network
# does not depend on them, and below the rounding noise of a dataset it learns nothing. Ten minutes
# on two CPU cores from the weights of a network for speech (docs/design-notes.md); more from random
# ones. The dropout was chosen on validation data.
FULLBAND = replace(
    ANY_BAND,
    name="fullband",
    source="ours: the network for any sound at 48 kHz, without critics",
    model="fullbandnet",
    arguments={"dropout": 0.25},
    sample_rate=48000,
    patch=48000,
    stride=24000,
    augmentation=replace(ANY_BAND.augmentation, gain_db=0.0),
    # Of 1000 steps, the average would still contain the first weights.
    optimizer=replace(ANY_BAND.optimizer, average=0.995),
    epochs=4,
)

# One of the critics of Vocos, that of bands, at half of its width. It judges the middle of each
# patch. With a third of the weights of the other losses, it raises levels that these leave too low.
# With the multi-period critic as well, a step takes four times as long. 85 minutes on a core that
# other work shared.
FULLBAND_GAN = replace(
    FULLBAND,
    name="fullband_gan",
    source="ours: the network for any sound at 48 kHz, against critics",
    starts_from=FULLBAND.name,
    batch=4,
    losses={"amplitude": 15.0, "log_spectral": 10.0},
    critics={"multi_band": 1.0},
    adversarial=Adversarial(critic_width=0.5, critic_patch=24000),
    optimizer=replace(FULLBAND.optimizer, learning_rate=1e-4),
    epochs=18,
    steps_per_epoch=100,
)

# The networks for recognizers, whose losses measure levels, not samples: a high band as loud as
# that of the recording. Two seconds per patch, as for SPEECH; half an hour on two CPU cores.
CONFORMER = replace(
    ANY_BAND,
    name="conformer_4x",
    source="ours: the blocks of Gulati et al. 2020 on levels, for speech recognition",
    model="conformer",
    ratio=4,
    patch=32768,
    stride=16384,
    augmentation=Augmentation(gain_db=10.0, random_lowpass=0.3, speed_perturbation=0.15),
    epochs=20,
    steps_per_epoch=180,
)

# The same for a GPU: 13 million parameters, 12 days of audio.
CONFORMER_LARGE = replace(
    CONFORMER,
    source="ours: the blocks of Gulati et al. 2020 on levels, eight of them, for a GPU",
    arguments={"width": 8 / 3, "blocks": 8, "kernel": 31},
    batch=32,
    optimizer=replace(CONFORMER.optimizer, learning_rate=5e-4),
    epochs=32,
    steps_per_epoch=500,
)

# CMGAN for two CPU cores: a quarter of the width, half of the blocks and of the frames, without its
# critic; 20 minutes.
CMGAN_LAPTOP = Recipe(
    name="cmgan_laptop_4x",
    source="ours: the network of Cao et al. 2022 at a quarter of its width, without a critic",
    model="cmgan",
    arguments={"width": 0.25, "blocks": 2, "hop": 200, "dropout": 0.1},
    patch=16000,
    stride=8000,
    batch=4,
    losses={"complex_spectrum": 0.1, "magnitude": 0.9, "relative_l1": 0.2},
    optimizer=Adam(learning_rate=2e-3, schedule="cosine", clip_norm=5.0),
    epochs=12,
    steps_per_epoch=100,
    validation_seconds=60.0,
)

# Equal budgets for all networks in docs/results.md: 2400 steps of 4 patches, at most half an hour
# each on two CPU cores, with the loss of Kuleshov's code, unless a network predicts spectra.
COMPARISON = replace(
    LAPTOP,
    source="ours: equal budgets, for the comparison of networks in docs/results.md",
    losses={"patch_rmse": 1.0},
    batch=4,
    epochs=12,
    steps_per_epoch=200,
)


def rows() -> Iterator[Recipe]:
    """Yields our recipes."""
    yield from (DEMO, LAPTOP, CMGAN_LAPTOP, ANY_BAND, ANY_BAND_STREAM, FULLBAND, FULLBAND_GAN)
    # The spectral weights were chosen on validation data among 0.0002, 0.0004 and 0.002: the
    # largest with an SNR half a dB above that of spline interpolation, without random filters.
    yield _with_spectral_weight(CLASSIC, 2e-4, name="audiounet_2x", ratio=2)
    yield _with_spectral_weight(CLASSIC, 4e-4, name="audiounet_4x", ratio=4)
    for ratio in (2, 4):
        yield replace(STREAM, name=f"stream_{ratio}x", ratio=ratio)
    yield replace(
        _with_spectral_weight(SPEECH, 0.07, name="speech_2x", ratio=2),
        arguments={"noise": 0.25},
        optimizer=replace(SPEECH.optimizer, weight_decay=1.0),
    )
    yield replace(SPEECH_LOW, name="speech_4x", ratio=4)
    averaged = replace(SPEECH_LOW.optimizer, average=0.99)
    yield replace(SPEECH_LOW, name="speech_8x", ratio=8, optimizer=averaged)
    for ratio in (4, 8):
        name, base = f"speech_asr_{ratio}x", f"speech_{ratio}x"
        yield replace(SPEECH_ASR, name=name, ratio=ratio, starts_from=base)
    for ratio in (2, 4, 8):
        yield replace(CONFORMER, name=f"conformer_{ratio}x", ratio=ratio)
        yield replace(CONFORMER_LARGE, name=f"conformer_large_{ratio}x", ratio=ratio)
    for name, model, changes in _compared():
        yield replace(COMPARISON, name=f"compare_{name}", model=model, **changes)


def _with_spectral_weight(base: Recipe, weight: float, **changes: Any) -> Recipe:
    return replace(base, losses={**base.losses, "log_spectral": weight}, **changes)


def _compared() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yields name, network and what else differs from `COMPARISON`, of each that is compared.

    Those that predict spectra keep the losses of their recipes, without critics. Ours have their
    full width: 0.5 to 1.9 million parameters. Those that work on mel spectrograms have rates of
    their own; those for any band are trained on other low sides.
    """
    quarter = {"width": 0.25}
    apart = ("dnn", "apbwe", "cmgan", "melgan", "nvsr", *models.vocoders())
    for name in models.own_names():
        if name not in apart and models.paper(name) != "this project":
            yield name, name, {"arguments": quarter}
    yield "tfilm_published", "tfilm", {"arguments": {**quarter, "blocks": "published"}}
    for attention in ("none", "se", "cbam"):
        arguments = {**quarter, "attention": attention}
        yield f"asr_unet_{attention}", "asr_unet", {"arguments": arguments}
    # Frames of 256 samples, since batch normalization needs more frames than a batch's 4 patches.
    yield "dnn", "dnn", {"arguments": {**quarter, "patch": 256}}
    # The published hop of 80 samples does not divide patches of 8192.
    arguments = {**quarter, "hop": 64, "frame": 256}
    yield "apbwe", "apbwe", {"arguments": arguments, "losses": APBWE.losses}
    # The same for its 400 and 100 samples.
    arguments = {**quarter, "fft": 256, "hop": 128}
    yield "cmgan", "cmgan", {"arguments": arguments, "losses": CMGAN.losses}
    for base in (STREAM, SPEECH_LOW, CONFORMER):
        yield base.model, base.model, {"arguments": {}, "losses": base.losses}
