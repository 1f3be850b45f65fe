"""Prints the networks that there are, and the trained ones: `python -m wideband.models`."""

import keras

from . import build, names, paper, pretrained


def main() -> None:
    """Builds each network at its published size, and prints two tables."""
    print(
        f"{'network':12} {'paper':24} {'parameters':>12}  {'input':14} {'lengths':18} "
        f"{'context':>9}"
    )
    for name in names():
        # Initial weights would take minutes; nothing is computed here but the shapes.
        with keras.StatelessScope(initialize_variables=False):
            network = build(name)
        context = "unbounded" if network.context is None else network.context
        print(
            f"{name:12} {paper(name):24} {network.count_params():12,}  {network.wants:14} "
            f"{f'multiples of {network.multiple}':18} {context:>9}"
        )
    print(f"\n{'trained':12} {'network':12} {'from Hz':>8} {'to Hz':>8} {'MB':>6}  runs by")
    for name in pretrained.names():
        recipe, folder = pretrained.record(name)["recipe"], pretrained.WEIGHTS / name
        rate = recipe["sample_rate"]
        megabytes = sum(each.stat().st_size for each in folder.iterdir()) / 1e6
        print(
            f"{name:12} {recipe['model']:12} {rate // recipe['ratio']:8} {rate:8} {megabytes:6.1f}"
            f"  {'TFLite' if pretrained.is_tflite(name) else 'Keras'}"
        )


if __name__ == "__main__":
    main()
