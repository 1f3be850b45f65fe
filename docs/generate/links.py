"""Links between files of the repository, for pages of the site.

A page links to other files by their path in the repository, so that it also works where the
repository is browsed. In the site, some of these files are pages at another place, and the others
are links to the repository.
"""

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Files outside docs/ that are pages of the site: path in the repository -> path in the site.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    **{
        path.relative_to(ROOT).as_posix(): f"cards/{path.name}"
        for path in sorted(ROOT.glob("models/cards/*.md"))
    },
}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\](?:\([^)]*\))?)*)\]\(([^)\s#]*)(#[^)\s]*)?\)")


def site(repository: str) -> str:
    """Returns the address at which GitHub publishes the pages of a repository."""
    owner, name = repository.split("/")[-2:]
    return f"https://{owner}.github.io/{name}/"


def stay(content: str, page: str, repository: str) -> str:
    """Lets the links of a page to the published page to try networks lead to the one beside it.

    Args:
        content: the page in HTML.
        page: its path in the site, "" or a folder that ends with a slash.
        repository: the address of the repository.
    """
    own = posixpath.relpath("try/index.html", page or ".")
    return content.replace(f'href="{site(repository)}try/"', f'href="{own}"')


def rewrite(markdown: str, page: str, repository: str) -> str:
    """Changes the links of a page from places in the repository to places in the site.

    Args:
        markdown: the page.
        page: its path in the site.
        repository: the address of the repository, or "" if it is not known. Without it, links to
            files that are not in the site become plain text.
    """
    source = next((path for path, uri in PAGES.items() if uri == page), f"docs/{page}")

    def change(link: re.Match[str]) -> str:
        sign, text, target, anchor = link[1], link[2], link[3], link[4] or ""
        text = rewrite(text, page, repository) if "](" in text else text
        if not target or re.match(r"\w+:", target):
            return f"{sign}[{text}]({target}{anchor})"
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        uri = PAGES.get(path)
        if uri is None and path.startswith("docs/"):
            uri = path.removeprefix("docs/")
        if uri is not None:
            relative = posixpath.relpath(uri, posixpath.dirname(page) or ".")
            return f"{sign}[{text}]({relative}{anchor})"
        if not (ROOT / path).exists():
            raise FileNotFoundError(f"{source} links to {target}, which does not exist")
        return f"[{text}]({repository}/blob/main/{path})" if repository else text

    return _LINK.sub(change, markdown)
