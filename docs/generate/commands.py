"""The reference of all commands, from their flags."""

import configparser
import importlib
import re
from pathlib import Path
from typing import Any

from absl import flags as absl_flags
from wideband.command.flags import MAX_INTEGER, Flags
from wideband.command.run import Command

ROOT = Path(__file__).parents[2]
# What the page calls the values of flags.
KINDS = {"int": "N", "float": "X", "comma separated list of strings": "A,B,..."}


def find() -> list[Command]:
    """Returns all commands of the package, those with a name of their own first."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    found = []
    for line in config["options"]["package_dir"].strip().split("\n"):
        for path in sorted((ROOT / line.partition(" = ")[2]).glob("*.py")):
            if re.search(r"^command = Command\(", path.read_text(encoding="utf-8"), re.M):
                name = ".".join(["wideband", *path.relative_to(ROOT).with_suffix("").parts])
                found.append(importlib.import_module(name).command)
    return sorted(found, key=lambda each: not each.name.startswith("wideband-"))


def anchor(command: Command) -> str:
    """Returns the anchor of a command on the page of all commands."""
    return re.sub(r"[^a-z]+", "-", command.name.removeprefix("python -m ").lower())


def summary() -> str:
    """Returns the table of all commands, in Markdown."""
    lines = ["| command | purpose |", "|---|---|"]
    for command in find():
        purpose = _sentence(_description(command))
        lines.append(f"| [`{command.name}`](commands.md#{anchor(command)}) | {purpose} |")
    return "\n".join(lines)


def reference() -> str:
    """Returns the description and the flags of every command, in Markdown."""
    return "\n\n".join(map(describe, find()))


def describe(command: Command) -> str:
    """Returns the section of one command, in Markdown."""
    flags = Flags()
    command._define_flags(flags)
    usage = " ".join([command.name, "[--flags]", command.positional]).rstrip()
    description = _format(_description(command))
    parts = [f"## `{command.name}` {{: #{anchor(command)} }}", description]
    # An example shows more than the usage.
    if "```" not in description:
        parts.append(f"```\n{usage}\n```")
    parts += [_flag(flags[name]) for name in flags]
    return "\n\n".join(parts)


def _description(command: Command) -> str:
    """Returns the help above the flags, without the name of the command in front."""
    text = command.help().partition("\n\nusage:")[0]
    text = text.removeprefix(f"{command.name}: ").removeprefix("Command: ")
    return text[0].upper() + text[1:]


def _sentence(text: str) -> str:
    """Returns the first sentence, in lower case unless it begins with an abbreviation."""
    first = " ".join(re.split(r"[.:]\s", f"{text} ")[0].split())
    return first if first[1].isupper() else first[0].lower() + first[1:]


def _format(text: str) -> str:
    """Turns the example lines of a docstring into code blocks, and the names of flags into code."""
    parts = []
    for part in re.split(r"\n\s*\n", text):
        lines = part.split("\n")
        indented = all(line.startswith("    ") for line in lines)
        if indented or lines[0].startswith(("python ", "wideband-")):
            code = "\n".join(line.removeprefix("    ") for line in lines)
            parts.append(f"```\n{code}\n```")
        elif example := re.fullmatch(r"(.*): ((?:python -m|wideband-).*)", part):
            parts.append(f"{example[1]}.\n\n```\n{example[2].rstrip('.')}\n```")
        else:
            parts.append(_mark(part))
    return "\n\n".join(parts)


def _mark(text: str) -> str:
    """Marks flags as code."""
    return re.sub(r"(?<![\w`/-])(--\w+(?:=[^\s,;)]*[^\s,;).:])?)", r"`\1`", text)


def _flag(flag: absl_flags.Flag) -> str:
    """Returns an entry of a definition list: the flag with its values, its help, its default."""
    parser: Any = flag.parser
    values, kind = getattr(parser, "enum_values", None), parser.flag_type()
    shown = f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}={KINDS.get(kind, 'VALUE')}"
    # absl writes the allowed values before the help, and a hint after it.
    text = re.sub(r"^<[^>]*>: ", "", flag.help or "")
    text = re.sub(r";\s*repeat this option to specify a list of values$", "", text)
    notes = []
    if values and len("|".join(values)) < 60:
        shown = f"--{flag.name}={'|'.join(values)}"
    elif values:
        notes.append("One of " + ", ".join(f"`{each}`" for each in values) + ".")
    limits = parser.syntactic_help
    if kind in ("int", "float") and not limits.endswith(f"{MAX_INTEGER}"):
        notes.append(f"{limits[0].upper()}{limits[1:]}.")
    if kind.startswith("multi") and "epeatable" not in text and "several times" not in text:
        notes.append("Repeatable.")
    if flag.default not in (None, [], "") and "efault" not in text:
        notes.append(f"Default: `{_default(flag)}`.")
    elif flag.default is None and flag.validators:
        notes.append("Required.")
    return f"`{shown}`\n:   {' '.join([_mark(text), *notes])}"


def _default(flag: absl_flags.Flag) -> str:
    if isinstance(flag.default, list):
        return ",".join(map(str, flag.default))
    return str(flag.default).lower() if flag.boolean else str(flag.default)
