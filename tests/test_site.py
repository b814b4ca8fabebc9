"""The documentation site: its generator, some programs of its gallery, and what a build left."""

import functools
import inspect
import json
import operator
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import polykeras as keras
from docs import names, pages
from polykeras import backends

DOCS = Path(__file__).parent.parent / "docs"
HTML = DOCS / "_build" / "html"
PROGRAMS = sorted((DOCS / "gallery").glob("*.py"))

built = pytest.mark.skipif(not (HTML / "searchindex.js").exists(), reason="the site is built by: python -m docs")


def test_every_public_name_has_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "FOLDER", tmp_path)
    results = {"numpy": {"polykeras.layers.dense.Dense": ""}, "jax": {"polykeras.layers.dense.Dense": "wrong"}}
    assert pages.write(results) > 1000
    for namespace, rows in names.entries().items():
        for entry in rows:
            assert (tmp_path / f"{entry.name}.rst").exists()
            assert f"<{entry.name}>" in (tmp_path / f"{pages._title(namespace)}.rst").read_text()
    page = (tmp_path / "polykeras.layers.Dense.rst").read_text()
    assert ":bdg-success:`NumPy`" in page and ":bdg-danger:`JAX`" in page
    assert "bdg" not in (tmp_path / "polykeras.layers.Dropout.rst").read_text()


def test_the_gallery_has_25_programs_with_a_title_and_a_plot():
    assert len(PROGRAMS) >= 25
    for path in PROGRAMS:
        text = path.read_text()
        assert text.startswith('"""\n') and "\n===" in text and "plt." in text, path.name


@pytest.mark.parametrize("name", backends.available())
def test_a_program_of_the_gallery_runs(name, tmp_path):
    environment = {**os.environ, "KERAS_BACKEND": name, "MPLBACKEND": "Agg", "PYTHONPATH": str(DOCS.parent)}
    program = DOCS / "gallery" / "10_custom_layer.py"
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) < 1e-3


class Page(HTMLParser):
    """The links and the ids of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids.add(attributes.get("id"))
        self.links += [attributes[key] for key in ("href", "src") if attributes.get(key)]


@functools.cache
def page(path):
    return Page(path)


def broken_links(path):
    """Yield the links of a page that lead to no file, or to no place in one."""
    for link in page(path).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        anchor = unquote(parts.fragment) if target.suffix == ".html" else ""
        if not target.exists() or anchor and anchor not in page(target).ids:
            yield path.name, link


@built
def test_every_internal_link_of_the_site_leads_somewhere():
    files = [path for path in HTML.rglob("*.html") if path.name not in ("search.html", "genindex.html")]
    assert [problem for path in files for problem in broken_links(path)] == []


@built
def test_the_search_index_finds_dense():
    index = json.loads((HTML / "searchindex.js").read_text().removeprefix("Search.setIndex(").removesuffix(")"))
    found = index["titleterms"]["dens"]  # the stem of the word
    found = [found] if isinstance(found, int) else found
    assert "api/polykeras.layers.Dense" in {index["docnames"][number] for number in found}


@built
@pytest.mark.parametrize("name", ["layers.Dense", "layers.LSTM", "optimizers.Adam", "losses.Huber", "metrics.AUC"])
def test_the_page_of_a_class_shows_the_arguments_of_its_constructor(name):
    html = (HTML / "api" / f"polykeras.{name}.html").read_text()
    title = re.search(rf'<dt[^>]*id="polykeras.{name}".*?</dt>', html, re.DOTALL).group()
    shown = re.findall(r"\w+", re.sub(r"<.*?>", "", title))
    assert set(inspect.signature(operator.attrgetter(name)(keras)).parameters) <= set(shown)


@built
def test_programs_have_plots_and_are_linked_from_the_names_that_they_use():
    for path in PROGRAMS:
        assert (HTML / "_images" / f"sphx_glr_{path.stem}_001.png").exists(), path.name
    assert "programs/03_convolutions.html" in (HTML / "api" / "polykeras.layers.Conv2D.html").read_text()


@built
@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium here")
def test_the_search_box_leads_to_dense_in_a_browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page()
        tab.goto((HTML / "index.html").as_uri())
        tab.get_by_placeholder("Search").first.fill("Dense")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#search-results li a")
        links = tab.locator("#search-results li a").evaluate_all("found => found.slice(0, 3).map(a => a.href)")
        browser.close()
    assert any("polykeras.layers.Dense.html" in link for link in links)
