"""The extension of griffe that turns docstrings into Markdown, for mkdocstrings."""

from typing import Any

import griffe
import markup


class Markdown(griffe.Extension):
    """Adds what Markdown needs and readers of code do not."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Changes the docstring of every module, class and function."""
        if obj.docstring:
            obj.docstring.value = markup.markdown(obj.docstring.value)
