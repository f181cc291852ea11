"""Checks a built site: each resource and link of a page leads to a file of the site, and to a place that exists in it.

    python docs/tools/offline.py site
"""

from __future__ import annotations

import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {("img", "src"), ("script", "src"), ("iframe", "src"), ("source", "src"), ("video", "src"), ("link", "href")}
URL = re.compile(r"url\(['\"]?(https?:|//)|@import\s+(url\()?['\"]?(https?:|//)")


class Page(HTMLParser):
    """The ids of a page, what it loads and where its links lead."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("id", "name") and value:
                self.ids.add(value)
            elif (tag, name) in LOADS and value:
                self.loads.append(value)
            elif (tag, name) == ("a", "href") and value:
                self.links.append(value)


page = cache(Page)


def faults(path: Path) -> list[str]:
    """What is wrong with one page."""
    here = page(path)
    out = [f"loads {url}" for url in here.loads if urlsplit(url).scheme not in ("", "data") or url.startswith("//")]
    for url in [*here.loads, *here.links]:
        parts = urlsplit(url)
        if parts.scheme or url.startswith("//"):
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.exists():
            out.append(f"{url} leads nowhere")
        elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in page(target).ids:
            out.append(f"{url}: the page has no such place")
    return out


def main(folder: str) -> int:
    """Print every fault; 1 if there is one."""
    site = Path(folder).resolve()
    pages = sorted(site.rglob("*.html"))
    found = [f"{p.relative_to(site)}: {fault}" for p in pages for fault in faults(p)]
    found += [f"{p.relative_to(site)}: loads from a server" for p in site.rglob("*.css") if URL.search(p.read_text())]
    print("\n".join([*found, f"{len(pages)} pages, {len(found)} faults"]))
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
