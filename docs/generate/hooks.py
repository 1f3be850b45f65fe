"""What the build of the pages does besides MkDocs: see the functions, which MkDocs calls.

A comment on a line of its own, such as `<!-- network: tfnet -->`, is replaced with what the code
knows: its name is a key of `GENERATED`, and the words after the colon are arguments.
"""

import configparser
import html
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import commands
import facts
import flows
import links
from latex2mathml.converter import convert
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
# The packages in one folder, as they are installed, for readers of source code.
SOURCES = ROOT / "build" / "docs-sources" / "wideband"
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
ADDRESS = SETUP["metadata"]["url"]  # of the repository
# The static page to try networks, if it has been built.
TRY = ROOT / "build" / "try"
GENERATED = {
    "commands": commands.reference,
    "command table": commands.summary,
    "network": facts.sections,
    "networks": facts.overview,
    "recipes": facts.all_recipes,
    "speed": facts.speed,
    "protocols": facts.protocols,
    "metrics": facts.metric_table,
    "flow": flows.draw,
}


def on_startup(command: str, dirty: bool) -> None:
    """Lays out the packages as they are installed, for mkdocstrings, which reads source code."""
    # griffe loads docstrings.py by its path.
    sys.path.append(str(Path(__file__).parent))
    SOURCES.mkdir(parents=True, exist_ok=True)
    for folder in ROOT.glob("*/__init__.py"):
        place = SOURCES / folder.parent.name
        if not place.is_symlink():
            place.symlink_to(folder.parent, target_is_directory=True)


def on_config(config: Any) -> Any:
    """Sets the repository's address; adds the pages that are not listed in mkdocs.yml."""
    # The address is not known until its owner is.
    config.repo_url = None if "/OWNER/" in ADDRESS else ADDRESS
    if config.repo_url:
        config.repo_name = ADDRESS.rpartition("/")[2]
    sections = {name: pages for section in config.nav for name, pages in section.items()}
    pages = dict.fromkeys(facts.page(name) for name in facts.models.names())
    sections["Networks"] += [f"networks/{page}" for page in pages]
    if (ROOT / "docs" / "browser.md").is_file():
        sections["Guides"].append("browser.md")
    cards = [uri for uri in links.PAGES.values() if uri.startswith("cards/")]
    sections["Results"].append({"Model cards": [{Path(uri).stem: uri} for uri in cards]})
    return config


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that are outside docs/."""
    for path, uri in links.PAGES.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Changes the links of a page and fills in what is generated."""
    markdown = links.rewrite(markdown, page.file.src_uri, config.repo_url or "")
    markdown = re.sub(
        r"^```mermaid\ngraph TD\n(.*?)^```$", flows.draw_graph, markdown, flags=re.M | re.S
    )
    return re.sub(r"^<!-- ([a-z ]+?)(?:: ([\w ,]+))? -->$", _generate, markdown, flags=re.M)


def _generate(comment: re.Match[str]) -> str:
    if comment[1] not in GENERATED:
        return comment[0]
    arguments = re.split(r", *", comment[2]) if comment[2] else []
    return GENERATED[comment[1]](*arguments)


def on_page_content(content: str, page: Any, config: Any, files: Any) -> str:
    """Turns formulas into MathML, which browsers draw without scripts; links to the page to try."""

    def formula(match: re.Match[str]) -> str:
        tex = html.unescape(match[2])
        if match[1] == "span":
            return convert(tex)
        return f'<div class="formula">{convert(tex, display="block")}</div>'

    pattern = r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>'
    content = re.sub(pattern, formula, content, flags=re.S)
    return links.stay(content, page.url, ADDRESS) if TRY.is_dir() else content


def on_post_build(config: Any) -> None:
    """Copies the page to try networks into the site."""
    if TRY.is_dir():
        shutil.copytree(TRY, Path(config.site_dir) / "try", dirs_exist_ok=True)
