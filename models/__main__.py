"""Prints the networks that there are: `python -m wideband.models`."""

import keras

from . import build, names, paper


def main() -> None:
    """Builds each network at its published size and prints a table."""
    print(
        f"{'name':12} {'paper':24} {'parameters':>12}  {'input':14} {'lengths':18} {'context':>9}"
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


if __name__ == "__main__":
    main()
