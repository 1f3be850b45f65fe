"""Recipes of published results, a base for each paper and a row for each result.

What holds for all of them: the published code of Kuleshov, of AFiLM and of TFNet keeps the weights
of the last epoch and validates on its test files; here a run keeps the epoch of the lowest
validation loss, on the valid split. A row's `source` says where its numbers were read. Where the
paper is silent or could not be read, the published code speaks.
"""

from collections.abc import Iterator
from dataclasses import replace

from ..recipe import Recipe

# What all classic papers share: 16 kHz, patches of 8192, Kuleshov's low side and loss. Kuleshov's
# multi-speaker Makefile makes its low side without a low-pass filter, against the paper: that
# reading is --protocol=subsample_spline of wideband-prepare and --set=protocol=subsample_spline.
# It also keeps a quarter of the multi-speaker patches, by chance; here all are used.
STRIDES = {"single": 4096, "multi": 8192, "piano": 4096}

# Rate, batch and epochs are those of the README's command, the moments those of src/run.py, whose
# own defaults are a rate of 1e-3, batches of 128 and 100 epochs.
AUDIOUNET = Recipe(
    name="audiounet",
    source="Kuleshov et al. 2017; README and src/run.py of kuleshov/audio-super-res",
    model="audiounet",
    learning_rate=3e-4,
    epsilon=1e-8,
    batch=64,
    epochs=120,
)

# One script trains both networks; the epochs are the paper's, as its author says in issue 27 of the
# repository, whose README has 120.
TFILM = replace(
    AUDIOUNET,
    name="tfilm",
    source="Birnbaum et al. 2019; README, src/run.py and issue 27 of kuleshov/audio-super-res",
    model="tfilm",
    epochs=50,
)

# The loss is the code's; its 20 epochs are a default, the paper has 50.
AFILM = replace(
    AUDIOUNET,
    name="afilm",
    source="Rakotonirina 2021, section 4.2; codes/train.py of ncarraz/AFILM",
    model="afilm",
    loss="mse",
    batch=16,
    epochs=50,
    epsilon=1e-7,
)

# The code draws ten crops of every recording and takes their treble away one by one; here patches
# follow each other and the treble goes from the whole wave. The thesis of 2021 reads the paper with
# a rate of 3e-5, strides of 2048 and frames below an RMS of 0.05 dropped.
TFNET = Recipe(
    name="tfnet",
    source="Lim et al. 2018; tfnet-2018.flags and train.py of moodoki/tfnet",
    model="tfnet",
    protocol="decimate_fft",
    loss="mse",
    stride=8192,
    batch=128,
    learning_rate=1e-4,
    epsilon=1e-8,
    schedule="polynomial",
    epochs=200,
)

# dnn.py has no recipe of its own: src/run.py trains it as it trains AudioUNet. The dense baseline
# of the paper of 2017 is another one, on spectra.
DNN = replace(
    AUDIOUNET,
    name="dnn",
    source="dnn.py of kuleshov/audio-super-res, by its README's command for AudioUNet",
    model="dnn",
)

# Moments and epsilon are the code's; the text has 0.9 and 1e-7. Stops once neither loss nor SNR has
# improved for 25,000 steps, which are 25 epochs of its 1015; at most 500,000 steps. The text drops
# frames below the RMS in multi-speaker training, the code trims the ends of the files instead.
THESIS = Recipe(
    name="gionet",
    source="Bini 2021, chapter 4; src/params.py and src/training_ops.py of its code",
    model="gionet",
    stride=2048,
    batch=128,
    silence_rms=0.05,
    learning_rate=3e-5,
    beta_1=0.99,
    epsilon=1e-6,
    schedule="polynomial",
    epochs=492,
    patience=25,
    validation_seconds=1e6,
)

# name: (what differs from THESIS, epochs that the multi-speaker run took)
THESIS_NETWORKS = {
    "gionet": ({}, 175),
    "gionet2": ({"model": "gionet2"}, 246),
    "bini_tfnet": ({"arguments": {"variant": "tfnet"}}, 127),
    "bini_tfilm": (
        {"arguments": {"variant": "tfilmnet"}, "learning_rate": 1e-5, "schedule": "constant"},
        351,
    ),
}

# The last stages of the project: 48 kHz, waves in [-1, 1] here and 16-bit integers there. It tried
# three depths.
KERAS_UNET = Recipe(
    name="keras_unet",
    source="Sut 2022; README and Project/constants.py of sutgeorge/Audio-Super-Resolution",
    model="keras_unet",
    sample_rate=48000,
    protocol="subsample_spline",
    loss="mse",
    patch=4096,
    stride=2048,
    batch=16,
    learning_rate=1e-4,
    epochs=100,
)


def rows() -> Iterator[Recipe]:
    """Gives every published row, named network_data_ratio.

    Data is "single" (one speaker of VCTK), "multi" (many), or "piano": Beethoven's sonatas as
    SampleRNN's authors cut them, 32 recordings in pieces of 8 s, of which the last 256 are for
    testing and the 256 before them for validation.
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
    for network, (differences, epochs) in THESIS_NETWORKS.items():
        multi = replace(THESIS, name=f"{network}_multi_4x", **differences)
        yield multi
        # As many epochs as the multi-speaker run took, without a stop. There, Adam's moments and
        # the count of steps went on; here they begin anew.
        yield replace(
            multi,
            name=f"{network}_single_4x",
            initial=multi.name,
            silence_rms=0.0,
            epochs=epochs,
            patience=None,
        )
    for levels in (3, 4, 5):
        name = f"keras_unet_{levels}_levels_4x"
        yield replace(KERAS_UNET, name=name, arguments={"levels": levels})
