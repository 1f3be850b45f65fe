"""The autoencoder and the diffusion network of AudioSR: sizes, start, and references in NumPy.

With random weights, widths of 1/8 and 1/4, 8 to 40 frames and latent images of 8 to 24, the
published code had the same output, with TensorFlow and with JAX: the largest differences, relative
to the largest value, were 2e-6 (diffusion network), 2e-6 (encoder), 3e-5 (decoder) and 6e-7
(vocoder).
"""

import math

import keras
import numpy as np
import pytest
from seeds import seed_networks
from wideband.command import UserError
from wideband.models import audiosr_unet, audiosr_vae
from wideband.models.audiosr_vocoder import AudioSRVocoder, generator

# Of the networks below: an eighth of the published channels and groups.
WIDTH, GROUPS = 1 / 8, 4
# Channels -> heads of attention; the code divides by 32, without a remainder.
HEADS = {80: 2}


def randomize(model):
    """Draws weights for which each layer matters, and returns them by the names of the layers."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        for weight in layer.weights:
            if len(weight.shape) == 1:
                values = rng.normal(weight.path.endswith("gamma"), 0.3, weight.shape)
            else:
                values = rng.normal(0, math.prod(weight.shape[:-1]) ** -0.5, weight.shape)
            weight.assign(values)
    return {
        layer.name: [np.asarray(each, np.float64) for each in layer.weights]
        for layer in model.layers
    }


class Reference:
    """Layers on images (frames, bins, channels), written from the published code.

    Args:
        weights: the weights by the names of the layers.
        epsilon: of the normalizations in residual blocks.
    """

    def __init__(self, weights, epsilon):
        self.weights, self.epsilon = weights, epsilon

    def dense(self, x, name):
        kernel, *bias = self.weights[name]
        return x @ kernel + sum(bias)

    def conv(self, x, name, before=1, stride=1):
        """A convolution of 3 x 3; PyTorch pads before as much as after, if it is asked to."""
        kernel, bias = self.weights[name]
        x = np.pad(x, ((before, 1), (before, 1), (0, 0)))
        height, width = (x.shape[0] - 3) // stride + 1, (x.shape[1] - 3) // stride + 1
        out = np.zeros((height, width, len(bias))) + bias
        for i in range(3):
            for j in range(3):
                part = x[i : i + stride * height : stride, j : j + stride * width : stride]
                out += part[:height, :width] @ kernel[i, j]
        return out

    def norm(self, x, name, epsilon=None):
        """Normalizes each group of neighbouring channels."""
        scale, offset = self.weights[name]
        out = np.empty_like(x)
        for each in np.split(np.arange(x.shape[2]), GROUPS):
            group = x[..., each]
            out[..., each] = (group - group.mean()) / np.sqrt(
                group.var() + (epsilon or self.epsilon)
            )
        return out * scale + offset

    def layer_norm(self, x, name):
        scale, offset = self.weights[name]
        centred = x - x.mean(axis=-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * scale + offset

    def attend(self, x, name, heads):
        """Attention of each point to all points."""
        query, key, value = (
            self.dense(x, f"{name}_{part}").reshape(-1, x.shape[-1])
            for part in ("query", "key", "value")
        )
        out = np.empty_like(query)
        for head in np.split(np.arange(x.shape[-1]), heads):
            scores = query[:, head] @ key[:, head].T / np.sqrt(len(head))
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            out[:, head] = scores / scores.sum(axis=1, keepdims=True) @ value[:, head]
        return self.dense(out.reshape(x.shape), f"{name}_project")

    def residual(self, x, name, embedding=None):
        y = self.conv(swish(self.norm(x, f"{name}_norm_0")), f"{name}_conv_0")
        if embedding is not None:
            y = y + self.dense(swish(embedding), f"{name}_embedding")
        y = self.conv(swish(self.norm(y, f"{name}_norm_1")), f"{name}_conv_1")
        return y + (self.dense(x, f"{name}_skip") if f"{name}_skip" in self.weights else x)

    def middle(self, x):
        """The middle of the encoder and of the decoder."""
        x = self.residual(x, "middle_0")
        x = x + self.attend(self.norm(x, "attention_norm"), "attention", 1)
        return self.residual(x, "middle_1")

    def transformer(self, x, name):
        y = self.dense(self.norm(x, f"{name}_norm", 1e-6), f"{name}_first")
        for each in (f"{name}_attention_0", f"{name}_attention_1"):
            y = y + self.attend(self.layer_norm(y, f"{each}_norm"), each, HEADS[x.shape[-1]])
        hidden = self.dense(self.layer_norm(y, f"{name}_feed_norm"), f"{name}_feed_expand")
        value, gate = np.split(hidden, 2, axis=-1)
        gate = gate * 0.5 * (1 + np.vectorize(math.erf)(gate / np.sqrt(2)))
        y = y + self.dense(value * gate, f"{name}_feed_project")
        return x + self.dense(y, f"{name}_last")


def swish(x):
    return x / (1 + np.exp(-x))


def double(x):
    return x.repeat(2, axis=0).repeat(2, axis=1)


def noise(*shape, seed=1):
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def test_the_encoder_equals_a_numpy_reference(reference):
    encoder = audiosr_vae.encoder(WIDTH, blocks=1)
    own = Reference(randomize(encoder), 1e-6)
    mel = 2 * noise(24, 256) - 5
    x = own.conv(mel[..., np.newaxis].astype(np.float64), "first")
    for level in range(4):
        x = own.residual(x, f"level_{level}_0")
        if level < 3:
            # Padded at the right and at the bottom only.
            x = own.conv(x, f"level_{level}_half", before=0, stride=2)
    x = swish(own.norm(own.middle(x), "last_norm"))
    mean, log_variance = np.split(own.dense(own.conv(x, "last"), "moments"), 2, axis=-1)
    assert mean.shape == (3, 32, 16)
    found = encoder(mel[np.newaxis])
    reference.assert_close(found[0][0], mean)
    reference.assert_close(found[1][0], log_variance)


def test_the_decoder_equals_a_numpy_reference(reference):
    decoder = audiosr_vae.decoder(WIDTH, blocks=1)
    own = Reference(randomize(decoder), 1e-6)
    latent = 3 * noise(1, 32, 16)
    x = own.conv(own.dense(latent.astype(np.float64), "latents"), "first")
    x = own.middle(x)
    for level in (3, 2, 1, 0):
        for k in range(2):
            x = own.residual(x, f"level_{level}_{k}")
        if level:
            x = own.conv(double(x), f"level_{level}_double")
    x = own.conv(swish(own.norm(x, "last_norm")), "last")
    assert x.shape == (8, 256, 1)
    reference.assert_close(decoder(latent[np.newaxis])[0], x[..., 0])


def test_the_diffusion_network_equals_a_numpy_reference():
    unet = audiosr_unet.build(WIDTH, blocks=1, multipliers=(1, 5))
    own = Reference(randomize(unet), 1e-5)
    noisy, condition = noise(2, 32, 16), noise(2, 32, 16, seed=2)
    # Cosines come first.
    angles = 981 * 10000.0 ** (-np.arange(8) / 8)
    embedding = np.concatenate([np.cos(angles), np.sin(angles)])
    embedding = own.dense(swish(own.dense(embedding, "step_0")), "step_1")

    def block(x, level, name):
        x = own.residual(x, name, embedding)
        for number in range(2 if level else 0):
            x = own.transformer(x, f"{name}_{number}")
        return x

    x = own.conv(np.concatenate([noisy, condition], axis=-1).astype(np.float64), "first")
    skips = [x]
    for level in range(2):
        x = block(x, level, f"down_{level}_0")
        skips.append(x)
        if level < 1:
            x = own.conv(x, f"down_{level}_half", stride=2)
            skips.append(x)
    x = own.residual(x, "middle_0", embedding)
    for number in range(2):
        x = own.transformer(x, f"middle_{number}")
    x = own.residual(x, "middle_1", embedding)
    for level in (1, 0):
        for k in range(2):
            x = block(np.concatenate([x, skips.pop()], axis=-1), level, f"up_{level}_{k}")
        if level:
            x = own.conv(double(x), f"up_{level}_double")
    assert not skips
    x = own.conv(swish(own.norm(x, "last_norm")), "last")
    found = unet([noisy[np.newaxis], condition[np.newaxis], np.array([981])])
    # An approximation of the error function by tanh would hardly exceed 1e-4.
    np.testing.assert_allclose(found[0], x, rtol=0, atol=1e-5 * np.abs(x).max())


# === Sizes and start ===


def test_the_networks_have_the_published_numbers_of_parameters(outline):
    assert outline(audiosr_vae.autoencoder).count_params() == 223_535_569
    unet = outline(audiosr_unet.build)
    assert unet.count_params() == 258_195_088
    heads = {layer.heads for layer in unet.layers if hasattr(layer, "heads")}
    assert heads == {8, 12, 20}
    assert outline("audiosr_vocoder").count_params() == 190_281_889
    assert outline("audiosr_vocoder", weight_norm=True).count_params() == 190_322_114


def test_narrower_networks_keep_the_channels_of_a_group_and_the_epsilons(outline):
    kinds = keras.layers.GroupNormalization, keras.layers.LayerNormalization
    for build, expected in (
        (audiosr_vae.autoencoder, {(1e-6, 10)}),
        # In residual blocks and at the end, and in transformers.
        (audiosr_unet.build, {(1e-5, 10), (1e-6, 10), (1e-5, None)}),
    ):
        network = outline(build, width=10 / 32, blocks=1)
        parts = [layer for layer in network.layers if isinstance(layer, keras.Model)] or [network]
        norms = [each for part in parts for each in part.layers if isinstance(each, kinds)]
        assert {(each.epsilon, getattr(each, "groups", None)) for each in norms} == expected
        first = parts[-1].get_layer("last_norm")
        assert first.gamma.shape == (40,)
    within = {each.epsilon for each in norms if each.name.endswith(("norm_0", "norm_1"))}
    assert within == {1e-5} == {network.get_layer("last_norm").epsilon}
    # 32 is no divisor of 200 channels, and they have no six heads.
    heads = {each.heads for each in network.layers if hasattr(each, "heads")}
    assert heads == {2, 3, 5}


def test_initial_weights_are_uniform_except_what_starts_as_the_identity():
    seed_networks(0)
    unet = audiosr_unet.build(WIDTH, blocks=1, multipliers=(1, 2), transformers=1)
    for layer in unet.layers:
        if hasattr(layer, "kernel"):
            zero = layer.name.endswith(("_conv_1", "_last")) or layer.name == "last"
            assert zero != any(np.any(weight) for weight in layer.get_weights()), layer.name
    latent = noise(2, 2, 32, 16)
    assert not np.any(unet([latent, latent, np.array([1, 999])]))
    for name, fan_in in (("first", 9 * 32), ("down_1_0_conv_0", 9 * 16), ("step_1", 64)):
        for weight in map(np.asarray, unet.get_layer(name).get_weights()):
            assert np.abs(weight).max() == pytest.approx(fan_in**-0.5, rel=0.15)


def test_the_autoencoder_bounds_the_log_variance_and_decodes_the_mean():
    vae = audiosr_vae.autoencoder(1 / 32, blocks=1)
    encoder, decoder = vae.get_layer("encoder"), vae.get_layer("decoder")
    layer = encoder.get_layer("moments")
    kernel, bias = layer.get_weights()
    bias[16:24], bias[24:] = -1000, 1000
    layer.set_weights([kernel, bias])
    mel = noise(2, 8, 256)
    mean, log_variance = encoder(mel)
    assert np.abs(mean).max() < 100
    np.testing.assert_array_equal(log_variance[..., :8], np.full((2, 1, 32, 8), -30))
    np.testing.assert_array_equal(log_variance[..., 8:], np.full((2, 1, 32, 8), 20))
    np.testing.assert_allclose(vae(mel), decoder(mean), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "arguments", "message"),
    [
        (audiosr_vae.autoencoder, {"width": 0.001}, "width 0.001 leaves a layer without filters"),
        (audiosr_vae.encoder, {"blocks": 0}, "blocks 0 must be from 1 to 32"),
        (audiosr_vae.decoder, {"blocks": 33}, "blocks 33 must be from 1 to 32"),
        (audiosr_unet.build, {"width": 0.001}, "width 0.001 leaves a layer without filters"),
        (audiosr_unet.build, {"transformers": 0}, "transformers 0 must be from 1 to 32"),
        (audiosr_unet.build, {"multipliers": (1, 0)}, "multipliers .* numbers above 0"),
        (audiosr_unet.build, {"multipliers": ()}, "multipliers .* from 1 to 6 numbers"),
        (AudioSRVocoder, {"kernels": 5}, "kernels 5 must be from 1 to 4"),
        (AudioSRVocoder, {"mel": "seed"}, "unsupported mel 'seed'; choose one of audiosr"),
    ],
)
def test_impossible_arguments_are_refused(build, arguments, message):
    with pytest.raises(UserError, match=f"^{message}"):
        build(**arguments)


def test_the_vocoder_cuts_what_its_generator_adds():
    vocoder = AudioSRVocoder(width=1 / 48, kernels=1).get_layer("vocoder")
    mel = noise(2, 3, 256)
    waves = generator(vocoder)(mel)
    assert waves.shape == (2, 480 * 3 + 16, 1)
    np.testing.assert_array_equal(vocoder(mel), waves[:, 8:-8])
