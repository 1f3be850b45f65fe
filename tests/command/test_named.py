"""Named paths on the command line."""

import pytest
from wideband.command import UserError
from wideband.command.named import parse_named_paths


def test_paths_are_named_by_the_user_or_after_their_last_component(tmp_path):
    (tmp_path / "x=y").mkdir()
    (tmp_path / "a.tflite").write_text("")
    arguments = ["net=runs/a", "runs/b/", f"{tmp_path}/x=y", str(tmp_path / "a.tflite")]
    named = parse_named_paths(arguments)
    assert list(named) == ["net", "b", "x=y", "a"]
    assert str(named["net"]) == "runs/a"
    with pytest.raises(UserError, match="write NAME=PATH"):
        parse_named_paths(["a/net", "b/net"])


def test_a_name_without_a_path_is_refused():
    with pytest.raises(UserError, match=r"^net=: the path is missing; write NAME=PATH"):
        parse_named_paths(["net="])
