"""The page of all commands, from their flags."""

import re

import commands
import pytest


@pytest.fixture(scope="module")
def reference():
    return commands.reference()


def test_every_flag_of_every_command_is_described(reference):
    found = commands.find()
    assert len(found) >= 17
    sections = re.split(r"^(?=## )", reference, flags=re.M)[1:]
    for command, section in zip(found, sections, strict=True):
        assert section.startswith(f"## `{command.name}` {{: #{commands.anchor(command)} }}")
        flags = re.findall(r"^  --(\[no\])?(\w+):", command.help(), re.M)
        entries = re.findall(r"^`--(\[no\])?(\w+)", section, re.M)
        assert sorted(entries) == sorted(each for each in flags if each[1] != "version")


def test_values_limits_and_defaults_are_stated(reference):
    (quantize,) = re.findall(r"^`--quantize=.*\n.*", reference, re.M)
    assert quantize.startswith("`--quantize=none|float16|dynamic|int8`")
    assert quantize.endswith("Default: `none`.")
    (mic,) = re.findall(r"^`--mic=.*\n.*", reference, re.M)
    assert "A whole number from 1 to 2. Default: `1`." in mic
    assert re.search(r"^`--run=VALUE`\n:   .*Required\.$", reference, re.M)
    assert "repeat this option" not in reference


def test_examples_become_code_blocks(reference):
    assert "```\nwideband-train --recipe=demo --data=data/demo --run=runs/demo\n```" in reference
    assert reference.count("```") % 2 == 0


def test_the_table_has_a_line_and_a_purpose_for_every_command():
    lines = commands.summary().split("\n")[2:]
    assert len(lines) == len(commands.find())
    assert all(re.fullmatch(r"\| \[`.+`\]\(commands\.md#[a-z-]+\) \| \S.+ \|", x) for x in lines)
