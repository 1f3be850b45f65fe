"""Prints the networks that there are: `python -m wideband.models`."""

from . import build, names, paper


def main() -> None:
    """Builds each network at its published size and prints a table."""
    print(
        f"{'name':12} {'paper':24} {'parameters':>12}  {'input':14} {'lengths':16} {'context':>8}"
    )
    for name in names():
        network = build(name)
        print(
            f"{name:12} {paper(name):24} {network.count_params():12,}  {network.wants:14} "
            f"{f'multiples of {network.multiple}':16} {network.context:8}"
        )


if __name__ == "__main__":
    main()
