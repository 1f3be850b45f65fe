"""Recipes of AudioSR: its autoencoder, its vocoder, and the diffusion between them.

All of them take datasets at 48 kHz (`wideband-prepare --sample_rate=48000`), of which they use the
high sides. A recipe of diffusion finds its autoencoder in runs/RECIPE, or where
`--set=arguments.vae` says. The published recipe finds its vocoder in the same way;
`--set=arguments.vocoder` names another one.

What is published: sections 2 and 4.1 of the paper; the configuration in audiosr/utils.py of
haoheliu/versatile_audio_super_resolution, which has no training; for the losses of the autoencoder,
haoheliu/AudioLDM-training-finetuning, by the same author. Deviations of all rows: recordings are
mixed to one channel, where the code takes the first, and patches follow each other, where it draws
them at random.
"""

from collections.abc import Iterator
from dataclasses import replace

from ...data_gen.augment import Augmentation
from ..recipe import Adam, Adversarial, Recipe

CODE = "the configuration in audiosr/utils.py of haoheliu/versatile_audio_super_resolution"

# 485,000 steps, from 50,001 on against a critic. The code sums absolute differences over 1024 x 256
# points and averages the divergence; here both are averages, and the latter has a smaller weight.
# An epoch is ours. Deviations: no LPIPS, which needs a network that was trained on pictures; no
# variance that is learned; a constant weight of the critic, where the code compares gradients.
VAE = Recipe(
    name="audiosr_vae",
    source=f"Liu et al. 2023, section 2.2; {CODE}",
    model="audiosr_vae",
    sample_rate=48000,
    ratio=1,
    patch=491520,
    stride=491520,
    batch=4,
    losses={"mel_l1": 1.0, "kl": 1 / (1024 * 256)},
    optimizer=Adam(learning_rate=8e-6, beta_1=0.5, beta_2=0.9, epsilon=1e-8),
    epochs=50,
    steps_per_epoch=1000,
    validation_seconds=60.0,
)

VAE_GAN = replace(
    VAE,
    name="audiosr_vae_gan",
    source=f"{VAE.source}; AudioLDM-training-finetuning",
    starts_from=VAE.name,
    critics={"patchgan": 0.5},
    adversarial=Adversarial("unbounded_hinge", feature_matching=0.0),
    epochs=435,
)

# The losses of HiFi-GAN, with a third critic. The code names a batch of 128 on 8 GPUs; this is that
# of one. The number of steps is not published. Deviation: the critic of spectra is that of AP-BWE,
# whose windows differ.
VOCODER = Recipe(
    name="audiosr_vocoder",
    source=f"Liu et al. 2023, section 2.3; {CODE}",
    model="audiosr_vocoder",
    arguments={"weight_norm": True},
    sample_rate=48000,
    ratio=1,
    patch=15360,
    stride=15360,
    batch=16,
    losses={"mel_l1": 45.0},
    critics={"multi_period_all": 1.0, "multi_scale": 1.0, "multi_resolution_amplitude": 1.0},
    adversarial=Adversarial("least_squares", feature_matching=2.0),
    optimizer=Adam(
        learning_rate=1e-4,
        beta_1=0.8,
        beta_2=0.99,
        epsilon=1e-8,
        weight_decay=0.01,
        schedule="exponential",
    ),
    epochs=1000,
    steps_per_epoch=1000,
    validation_seconds=60.0,
)

# The number of steps is not published. Deviations: no mixtures of two recordings; the conditions
# are lost example by example, where the code loses those of a whole batch; both sides have the same
# scale from the first step on, which the code reaches when a training is continued.
DIFFUSION = Recipe(
    name="audiosr",
    source=f"Liu et al. 2023, section 4.1; {CODE}",
    model="audiosr",
    arguments={"vae": "runs/audiosr_vae_gan", "vocoder": "runs/audiosr_vocoder"},
    sample_rate=48000,
    ratio=1,
    patch=491520,
    stride=491520,
    batch=16,
    augmentation=Augmentation(random_band=True, random_lowpass=1.0),
    losses={"velocity": 1.0},
    optimizer=Adam(
        learning_rate=1e-4,
        epsilon=1e-8,
        weight_decay=0.01,
        schedule="warm_up",
        average=0.9999,
    ),
    epochs=500,
    steps_per_epoch=1000,
    validation_seconds=600.0,
)

# For two CPU cores: 3 million parameters, a quarter of an hour in bfloat16, which sees an hour of
# recordings.
VAE_LAPTOP = replace(
    VAE,
    name="audiosr_laptop_vae",
    source="ours: the autoencoder of AudioSR at an eighth of its width",
    arguments={"width": 0.125, "blocks": 1, "dropout": 0.0},
    patch=61440,
    stride=61440,
    losses={"mel_l1": 1.0, "kl": 1e-4},
    optimizer=Adam(learning_rate=1e-3, schedule="cosine", clip_norm=10.0, average=0.99),
    epochs=15,
    steps_per_epoch=45,
    validation_seconds=30.0,
)

# Without critics, which would take most of the time.
VOCODER_LAPTOP = replace(
    VOCODER,
    name="audiosr_laptop_vocoder",
    source="ours: the vocoder of AudioSR at a sixteenth of its width, without critics",
    arguments={"width": 0.0625, "kernels": 3},
    batch=8,
    losses={"mel_l1": 1.0, "multi_resolution_stft": 1.0},
    critics={},
    adversarial=Adversarial(),
    optimizer=Adam(
        learning_rate=1e-3,
        beta_1=0.8,
        beta_2=0.9,
        schedule="cosine",
        clip_norm=10.0,
        average=0.99,
    ),
    epochs=30,
    steps_per_epoch=70,
    validation_seconds=30.0,
)

# An hour in bfloat16 on one core, a tenth of it for the latents, of 5.12 s. At this size,
# Griffin-Lim is better than the vocoder above, and 10 steps are as good as 20
# (docs/networks/audiosr.md). Guidance doubles their time and was worse on validation data.
DIFFUSION_LAPTOP = replace(
    DIFFUSION,
    name="audiosr_laptop",
    source="ours: the diffusion of AudioSR at a quarter of its width",
    arguments={
        "width": 0.25,
        "vae": "runs/audiosr_laptop_vae",
        "vocoder": "griffin_lim",
        "steps": 10,
        "guidance": 1.0,
    },
    patch=245760,
    stride=245760,
    batch=4,
    optimizer=Adam(learning_rate=3e-4, schedule="cosine", clip_norm=1.0, average=0.99),
    epochs=54,
    steps_per_epoch=50,
    validation_seconds=120.0,
)


def rows() -> Iterator[Recipe]:
    """Yields the recipes, the published ones first."""
    yield from (VAE, VAE_GAN, VOCODER, DIFFUSION)
    yield from (VAE_LAPTOP, VOCODER_LAPTOP, DIFFUSION_LAPTOP)
