"""Opens every page of a built site in headless Chromium at phone and desktop width, and searches it.

    python -m pip install selenium                  # and Debian's chromium, chromium-driver
    python docs/tools/browse.py site [screenshots]

A page fails if anything sticks out of the screen, an image or a script fails, or a request leaves the machine.
"""

from __future__ import annotations

import http.server
import json
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

WIDTHS = {"phone": (390, 844), "desktop": (1440, 900)}
QUERIES = {"gaussian": "filters", "receptive field": "howto", "overlap": "methods"}  # word → a page that must be found
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]
STICKING_OUT = """
const wide = document.documentElement.clientWidth;
const inside = e => { for (; e; e = e.parentElement)
    if (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(e).overflowX) && e !== document.body
        && e !== document.documentElement) return true; return false; };
const out = [...document.querySelectorAll('article *')]
    .filter(e => e.getBoundingClientRect().right > wide + 1 && !inside(e));
return [document.documentElement.scrollWidth - wide,
        out.slice(0, 3).map(e => e.tagName + '.' + e.className + ' ' + (e.textContent || '').trim().slice(0, 40))];
"""
BROKEN_IMAGES = "return [...document.images].filter(i => !i.naturalWidth && i.src).map(i => i.src.slice(0, 80));"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def browser(profile: str) -> webdriver.Chrome:
    """A fresh Chromium that logs its requests."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in [*FLAGS, f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))


def requests_elsewhere(chrome: webdriver.Chrome, root: str) -> list[str]:
    """Addresses asked for since the last call that are not of the site."""
    messages = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith((root, "data:", "blob:", "chrome:"))]


def faults(chrome: webdriver.Chrome, root: str, page: str, width: str) -> list[str]:
    """What is wrong with one page at one width."""
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": WIDTHS[width][0], "height": WIDTHS[width][1], "deviceScaleFactor": 1, "mobile": width == "phone"})
    chrome.get(root + page)
    over, sticking = chrome.execute_script(STICKING_OUT)
    out = [f"{over} px wider than the screen: {sticking}"] if over > 0 or sticking else []
    out += [f"image without a picture: {source}" for source in chrome.execute_script(BROKEN_IMAGES)]
    out += [entry["message"] for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"]
    out += [f"asks {url}" for url in requests_elsewhere(chrome, root)]
    return [f"{page} ({width}): {fault}" for fault in out]


def film(chrome: webdriver.Chrome) -> list[str]:
    """What is wrong with the first animation of the page that is open: it must show another frame once it is played."""
    buttons = chrome.find_elements(By.CSS_SELECTOR, ".anim-buttons button[title=Play]")
    if not buttons:
        return []
    frame = chrome.find_element(By.CSS_SELECTOR, ".animation img").get_attribute("src")
    chrome.execute_script("arguments[0].click()", buttons[0])
    try:
        WebDriverWait(chrome, 10).until(
            lambda c: c.find_element(By.CSS_SELECTOR, ".animation img").get_attribute("src") != frame)
    except TimeoutException:
        return [f"{chrome.current_url}: the animation does not play"]
    print(f"plays: {chrome.current_url}")
    return []


def search(chrome: webdriver.Chrome, root: str, words: str, page: str) -> list[str]:
    """What is wrong with the search for some words."""
    chrome.get(f"{root}search.html?q={words.replace(' ', '+')}")
    WebDriverWait(chrome, 20).until(lambda c: c.find_elements(By.CSS_SELECTOR, "#search-results .search-summary"))
    WebDriverWait(chrome, 20).until(lambda c: "Search" in c.find_element(By.CSS_SELECTOR, "#search-results h2").text
                                    and "Searching" not in c.find_element(By.CSS_SELECTOR, "#search-results h2").text)
    links = [a.get_attribute("href") or "" for a in chrome.find_elements(By.CSS_SELECTOR, "#search-results li a")]
    print(f"search {words!r}: {len(links)} results, first {links[:3]}")
    return [] if links and any(page in link for link in links) else [f"search {words!r} does not find {page!r}"]


def main(site: str, shots: str | None = None) -> int:
    """Open everything; 1 if there is a fault."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    root, found = f"http://127.0.0.1:{server.server_port}/", []
    pages = sorted(str(p.relative_to(site)) for p in Path(site).rglob("*.html") if "_static" not in p.parts)
    with tempfile.TemporaryDirectory() as profile:
        chrome = browser(profile)
        try:
            for page in pages:
                for width in WIDTHS:
                    found += faults(chrome, root, page, width)
                    found += film(chrome) if width == "desktop" else []
                    if shots:
                        Path(shots).mkdir(exist_ok=True)
                        chrome.save_screenshot(f"{shots}/{page.replace('/', '-').removesuffix('.html')}-{width}.png")
            for words, page in QUERIES.items():
                found += search(chrome, root, words, page)
        finally:
            chrome.quit()
            server.shutdown()
    print("\n".join([*found, f"{len(pages)} pages at {len(WIDTHS)} widths, {len(found)} faults"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
