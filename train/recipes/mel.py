"""Recipes of what works on mel spectrograms: the mel-domain GAN, NVSR and the vocoders.

They need datasets of their own rates: `wideband-prepare --sample_rate=22050 --low_rate=8000`, for
NVSR `--sample_rate=44100 --low_rate=8000`. NVSR and vocoders use the high sides only, so one
dataset of a rate does for all.

Deviations of all published rows: the codes draw a random crop from every recording in each epoch,
and extend short recordings; here, patches follow each other, and recordings that are shorter than a
patch are left out. The codes keep the weights of the last epoch.
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from ...data_gen.augment import Augmentation
from ..recipe import Adam, Adversarial, Recipe
from .ours import ANY_BAND

# Batch and epochs are those of the README's commands; the defaults of src/train.py are 8 and 5,
# those of src/train_gan.py 16 and 100. Deviations: the code's patches have 44,100 samples, of which
# the mel spectrogram ignores the last 68. It scales each file to a peak of 1 before it makes the
# low side, and the low side to a peak of 1 as well, which `peak_db` repeats for each patch, as the
# code does. It skips a step whose loss is not finite; here, the training ends with an error.
CNN = Recipe(
    name="melgan_cnn",
    source="README and src/train.py of serious-engineer/Audio-Super-Resolution",
    model="melgan",
    sample_rate=22050,
    ratio=Fraction(441, 160),
    protocol="hann_sinc",
    patch=172 * 256,
    stride=172 * 256,
    batch=32,
    augmentation=Augmentation(peak_db=0.0),
    losses={"mel_l1": 1.0, "mel_mse": 1.0, "mel_convergence": 0.5},
    optimizer=Adam(learning_rate=1e-4, epsilon=1e-8, clip_norm=5.0),
    epochs=100,
)

# In each step, the generator runs twice: for the critic's step, and after it for its own. The code
# can start from a CNN, as --initial_weights does. Its critic sees the references once more than
# here, which changes nothing but running means that are never used.
GAN = replace(
    CNN,
    name="melgan_srgan",
    source="README and src/train_gan.py of serious-engineer/Audio-Super-Resolution",
    critics={"srgan": 1.0},
    adversarial=Adversarial("unbounded_hinge", opinion=0.1, features="last"),
    optimizer=Adam(learning_rate=2e-4, epsilon=1e-8, clip_norm=1.0),
)

# The README's diagram calls the critic a PatchGAN that scores patches, which the code's is not.
PATCHGAN = replace(
    GAN,
    name="melgan_patchgan",
    source="README of serious-engineer/Audio-Super-Resolution, with the critic that it names",
    critics={"patchgan": 1.0},
)

# For two CPU cores: half of the channels and a quarter of the blocks, 20 minutes. The results in
# docs/results.md are without normalization; with it, the loss falls faster (docs/design-notes.md).
CNN_LAPTOP = replace(
    CNN,
    name="melgan_laptop_cnn",
    source="ours: a small generator of mel spectrograms that reach 11 kHz",
    arguments={
        "mel": "nyquist",
        "width": 0.5,
        "blocks": 4,
        "residual": True,
        "batch_norm": False,
    },
    stride=86 * 256,
    batch=4,
    augmentation=Augmentation(gain_db=10.0),
    optimizer=Adam(learning_rate=1e-3, schedule="cosine", clip_norm=5.0),
    epochs=20,
    steps_per_epoch=200,
    validation_seconds=60.0,
)

# Five minutes more, against a critic of a quarter of the width.
GAN_LAPTOP = replace(
    CNN_LAPTOP,
    name="melgan_laptop",
    source="ours: a small generator of mel spectrograms that reach 11 kHz, against a critic",
    starts_from=CNN_LAPTOP.name,
    critics={"patchgan": 1.0},
    adversarial=Adversarial("unbounded_hinge", critic_width=0.25, opinion=0.1, features="last"),
    optimizer=Adam(learning_rate=2e-4, schedule="cosine", clip_norm=1.0),
    epochs=5,
)

# Our generator, for two CPU cores: half an hour. Recordings of limited band help
# (`wideband-prepare --narrow`), since the number of speakers limits it.
MELNEXT = replace(
    CNN_LAPTOP,
    name="melnext",
    source="ours: ConvNeXt blocks on log mels that reach 11 kHz, for speech",
    model="melnext",
    arguments={},
    batch=16,
    augmentation=Augmentation(speed_perturbation=0.15),
    losses={"mel_l1": 1.0, "mel_mse": 1.0},
    optimizer=replace(ANY_BAND.optimizer, average=0.99),
    epochs=12,
    steps_per_epoch=250,
    validation_seconds=150.0,
)

# Ten minutes more, against a critic of a quarter of the width.
MELNEXT_GAN = replace(
    MELNEXT,
    name="melnext_gan",
    source="ours: ConvNeXt blocks on log mels that reach 11 kHz, for speech, against a critic",
    starts_from=MELNEXT.name,
    critics=GAN_LAPTOP.critics,
    adversarial=GAN_LAPTOP.adversarial,
    optimizer=replace(MELNEXT.optimizer, learning_rate=2e-4),
    epochs=4,
)

# The code that was released restores only; the numbers are those of VoiceFixer, whose generator it
# is, and of the released checkpoint: 22,500 steps in 12 epochs. Deviations: the batch is ours; the
# rate stays, where VoiceFixer's falls; patches of 3.2 s, where VoiceFixer's have 3 s; cutoffs from
# 2 kHz on, where those of the paper begin at 1 kHz.
NVSR = Recipe(
    name="nvsr",
    source="Liu et al. 2022; examples/NVSR of haoheliu/ssr_eval; haoheliu/voicefixer",
    model="nvsr",
    sample_rate=44100,
    ratio=1,
    patch=5 * 28224,
    stride=5 * 28224,
    batch=16,
    augmentation=Augmentation(random_band=True, random_lowpass=1.0),
    losses={"mel_l1": 1.0},
    optimizer=Adam(learning_rate=5e-4, epsilon=1e-8),
    epochs=12,
    steps_per_epoch=1875,
    validation_seconds=60.0,
)

# For two CPU cores: a quarter of the width, with Griffin-Lim, in twenty minutes in mixed_bfloat16.
NVSR_LAPTOP = replace(
    NVSR,
    name="nvsr_laptop",
    source="ours: the generator of NVSR at a quarter of its width",
    arguments={"width": 0.25},
    patch=2 * 28224,
    stride=2 * 28224,
    batch=8,
    optimizer=Adam(learning_rate=1e-3, schedule="cosine", clip_norm=5.0, average=0.99),
    epochs=8,
    steps_per_epoch=100,
)

# An epoch of the code is one crop of each of LJSpeech's 12,950 training recordings; 3100 epochs are
# 2.5 million steps. Deviations: the code scales each file to a peak of 0.95; here, levels stay. It
# decays all weights; here, biases are left out.
HIFIGAN = Recipe(
    name="hifigan_v1",
    source="Kong et al. 2020; train.py and config_v1.json of jik876/hifi-gan",
    model="hifigan",
    arguments={"variant": "V1", "weight_norm": True},
    sample_rate=22050,
    ratio=1,
    patch=8192,
    stride=8192,
    batch=16,
    losses={"mel_l1": 45.0},
    critics={"multi_period_all": 1.0, "multi_scale": 1.0},
    adversarial=Adversarial("least_squares", feature_matching=2.0),
    optimizer=Adam(
        learning_rate=2e-4,
        beta_1=0.8,
        beta_2=0.99,
        epsilon=1e-8,
        weight_decay=0.01,
        schedule="exponential",
    ),
    epochs=3100,
    steps_per_epoch=809,
)

# The weights of the critics are 1 and 0.1 over their numbers of members. Each patch has a random
# peak between -6 and -1 dB. A million steps; an epoch is ours. Deviation: the code decays all
# weights; here, biases are left out.
VOCOS = Recipe(
    name="vocos_24k",
    source="Siuzdak 2023; configs/vocos.yaml and vocos/experiment.py of gemelo-ai/vocos",
    model="vocos",
    arguments={"mel": "vocos24"},
    sample_rate=24000,
    ratio=1,
    patch=16384,
    stride=16384,
    batch=16,
    augmentation=Augmentation(peak_db=-3.5, gain_db=2.5),
    losses={"mel_l1": 45.0},
    critics={"multi_period": 1 / 5, "multi_band_inner": 0.1 / 3},
    optimizer=Adam(
        learning_rate=5e-4,
        beta_1=0.8,
        beta_2=0.9,
        epsilon=1e-8,
        weight_decay=0.01,
        schedule="falling_cosine",
    ),
    epochs=1000,
    steps_per_epoch=1000,
)

# For two CPU cores: 1.65 million parameters, 35 minutes. Critics would take most of the time.
VOCOS_LAPTOP = replace(
    VOCOS,
    name="vocos_laptop",
    source="ours: a small Vocos for mel spectrograms that reach 11 kHz, without critics",
    arguments={"mel": "nyquist", "width": 0.375, "blocks": 6},
    sample_rate=22050,
    patch=8192,
    stride=8192,
    losses={"mel_l1": 1.0, "multi_resolution_stft": 1.0},
    critics={},
    optimizer=Adam(
        learning_rate=1e-3,
        beta_1=0.8,
        beta_2=0.9,
        schedule="cosine",
        clip_norm=10.0,
        average=0.999,
    ),
    epochs=30,
    steps_per_epoch=700,
    validation_seconds=60.0,
)

# An hour more, with Vocos's own losses and critics of an eighth of the width. The first five epochs
# improve little.
VOCOS_LAPTOP_GAN = replace(
    VOCOS_LAPTOP,
    name="vocos_laptop_gan",
    source="ours: a small Vocos for mel spectrograms that reach 11 kHz, against small critics",
    starts_from=VOCOS_LAPTOP.name,
    losses=VOCOS.losses,
    critics=VOCOS.critics,
    adversarial=Adversarial(critic_width=0.125),
    optimizer=replace(VOCOS_LAPTOP.optimizer, learning_rate=2e-4),
    epochs=20,
    steps_per_epoch=200,
)


def rows() -> Iterator[Recipe]:
    """Yields the recipes, the published ones first."""
    yield from (CNN, GAN, PATCHGAN)
    for variant in ("V1", "V2", "V3"):
        name = f"hifigan_{variant.lower()}"
        source = HIFIGAN.source.replace("v1", variant.lower())
        arguments = {**HIFIGAN.arguments, "variant": variant}
        yield replace(HIFIGAN, name=name, source=source, arguments=arguments)
    yield VOCOS
    yield replace(
        VOCOS,
        name="vocos_22k",
        source="the Vocos of langtech-bsc/vocos, branch matcha, trained as that for 24 kHz",
        arguments={"mel": "seed"},
        sample_rate=22050,
    )
    yield NVSR
    yield from (
        CNN_LAPTOP,
        GAN_LAPTOP,
        MELNEXT,
        MELNEXT_GAN,
        NVSR_LAPTOP,
        VOCOS_LAPTOP,
        VOCOS_LAPTOP_GAN,
    )
