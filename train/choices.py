"""What the fields of a recipe choose from, known without Keras: losses, critics, schedules."""

# The losses of losses.py -> the shortest patch, in samples, that each of them takes. Losses of
# spectra extend a patch at both ends with its mirror image, half a transform of 2048 samples long.
SHORTEST_PATCHES = {
    "patch_rmse": 1,
    "patch_log_rmse": 1,
    "mse": 1,
    "relative_l1": 1,
    "log_spectral": 1025,
    "amplitude": 1,
    "phase": 1,
    "complex_spectrum": 1,
    "consistency": 1,
    "magnitude": 1,
    "mel_l1": 1,
    "mel_mse": 1,
    "mel_convergence": 1,
    "multi_resolution_stft": 1025,
    "recognizer_mel": 201,
    "whisper": 201,
    "kl": 1,
    "velocity": 1,
}
# The critics of models/critics.py -> the shortest patch that each of them takes. A frame of a mel
# spectrogram has 256 samples; those of CMGAN, which has to have 16, have up to 256.
CRITICS = {
    "multi_period": 16,
    "multi_period_all": 16,
    "multi_scale": 16,
    "multi_resolution_amplitude": 1025,
    "multi_resolution_phase": 1025,
    "multi_band": 1025,
    "multi_band_inner": 1025,
    "srgan": 256,
    "patchgan": 6144,
    "metric": 4096,
}
# What Whisper hears at once.
RECOGNIZER_RATE, RECOGNIZER_SECONDS = 16000, 30
ADVERSARIAL_LOSSES = ("hinge", "unbounded_hinge", "least_squares")
FEATURES = ("all", "last")

SCHEDULES = {
    "constant": "keeps the learning rate",
    "cosine": "warms up during 2 % of the steps, then falls to 0 at the last step",
    "falling_cosine": "falls to 0 at the last step (Vocos)",
    "exponential": "falls by a thousandth after every epoch (HiFi-GAN, AP-BWE)",
    "halving": "halves after every 30 epochs (CMGAN)",
    "polynomial": "falls to 1e-6 over 500,000 steps, with the root of the steps left (TFNet, Bini)",
    "warm_up": "rises during the first 5000 steps, then stays (AudioSR)",
}
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
