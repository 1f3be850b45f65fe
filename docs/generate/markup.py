"""The text of docstrings as Markdown."""

import re


def markdown(text: str) -> str:
    """Adds blank lines before lists and tables, and turns underlined titles into bold ones.

    Opening brackets that are no code are escaped: Markdown takes `<p, y>` for a tag.
    """
    text = re.sub(r"^(\w[\w ]*)\n-{3,}\n", r"**\1**\n\n", text, flags=re.M)
    # Google's name of the section.
    text = re.sub(r"^Example:$", "Examples:", text, flags=re.M)
    lines: list[str] = []
    for line in text.split("\n"):
        before = lines[-1] if lines else ""
        if not line.lstrip().startswith((">>>", "...")):
            parts = line.split("`")
            parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
            line = "`".join(parts)
        for sign in ("- ", "| "):
            # A line of the same list or table is indented or begins with the sign.
            inside = not before or before.startswith((sign, " "))
            if line.startswith(sign) and not inside:
                lines.append("")
        lines.append(line)
    return "\n".join(lines)
