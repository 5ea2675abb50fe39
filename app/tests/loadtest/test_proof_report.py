import re
from html.parser import HTMLParser

import pytest

from proof.judgement.result import Latency, Verdict
from proof.report import axis
from proof.report import html as report
from proof.report.curve import charts
from proof.report.grid import State
from proof.report.html import FAMILY, PAGE, ROOTS
from tests.demos.conftest import launched
from tests.loadtest.results import EMPTY, LOST, SAMPLES, SLOW, SWAPPED, UNASKED, a_cell, a_result

CSS = (PAGE / "report.css").read_text()


class Markup(HTMLParser):
    """Every start tag of a page, in order, and what is left open at its end."""

    VOID = ("meta", "link", "br", "img")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, *names):
        return [attrs for tag, attrs in self.tags if tag in names]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_report_is_whole_and_needs_nothing_beside_itself(name, tmp_path):
    """Every tag is closed; no script, style, picture or font is loaded; the verdict and its sentence stand in it."""
    result = SAMPLES[name]()
    report.write(result, tmp_path / "new" / "report.html")
    text = (tmp_path / "new" / "report.html").read_text()
    page = Markup(text)
    assert page.open == []
    assert not [attrs for attrs in page.all("script", "img", "iframe", "source") if "src" in attrs]
    assert [attrs["href"] for attrs in page.all("link")] == ["data:,"]
    assert "url(" not in text
    assert "@import" not in text
    assert re.search(rf"<h1>.*</svg>{result.verdict.capitalize()}</h1>", text, re.DOTALL)
    assert result.sentence in text


def test_every_cell_is_told_in_words():
    """Who does not see the colours has the count, the faults and the latency of each cell."""
    text = report.render(a_result(3, wrong={(0, 1): EMPTY, (1, 1): LOST, (2, 0): SLOW, (2, 1): UNASKED}))
    said = re.findall(r'<span class="unseen">(web-\d to web-\d: .*?)</span>', text)
    assert len(said) == 9
    assert said[1] == "web-1 to web-2: 0 of 21,001 arrived, 21,001 lost; p99 -"
    assert said[4].startswith("web-2 to web-2: 21,017 of 21,038 arrived, 21 lost; p99 ")
    assert said[0].startswith("web-1 to web-1: 21,000 of 21,000 arrived, none lost, doubled or out of order; p99 ")


def test_a_wrong_cell_has_a_mark_beside_its_colour():
    """Empty, wrong, slow and unasked cells are told apart in black and white, and each mark is explained."""
    result = a_result(12, wrong={(0, 1): EMPTY, (1, 1): LOST, (2, 0): SLOW, (2, 1): UNASKED, (5, 5): SWAPPED})
    text = report.render(result)
    for state, mark in report.MARKS.items():
        if state == State.WHOLE:
            continue
        cells = re.findall(rf'<td class="{state}( worst)?".*?<i>(.)</i>', text)
        assert {shown for _, shown in cells} == {mark}, state
        assert f'<span class="chip {state}" aria-hidden="true">{mark}</span>{report.MEANINGS[state]}' in text
    assert text.count(' worst"') == 1
    assert "⇄21" in text


@pytest.mark.parametrize(
    ("p99", "shade"), [(0.0, 1), (1.0, 1), (15.6, 1), (17.0, 2), (126.0, 5), (250.0, 5), (9000.0, 5)]
)
def test_a_cell_is_the_darker_the_nearer_it_is_to_the_limit(p99, shade):
    """Each shade stands for twice the latency of the one before; the last ends at the limit."""
    cell = a_cell("a", "b", 10, 1)
    latency = Latency(10, p99, p99, p99, p99)
    assert report.shade(type(cell)(cell.publisher, cell.receiver, cell.count, latency), 250) == shade


def test_what_comes_from_outside_is_text():
    """A name, a sentence or a command with markup in it is shown as it is."""
    evil = '<script>alert("x")</script><!--'
    text = report.render(a_result(2, chaos=True, sentence=evil, host=evil, command=evil, machine={evil: evil}))
    page = Markup(text)
    assert page.open == []
    assert len(page.all("script")) == 2
    assert evil not in text


def test_a_host_that_is_no_address_of_the_web_is_no_link():
    """Only http and https are followed from the report."""
    page = Markup(report.render(a_result(2, host="javascript:alert(1)")))
    assert not [attrs for attrs in page.all("a") if attrs["href"].startswith("javascript")]


def test_long_runs_have_a_table_that_is_thinned_out():
    """An hour is shown by every so many seconds, and the report says so."""
    text = report.render(a_result(2, 3600))
    assert "One second of 16; the JSON beside this report has all." in text
    table = text.split("Second by second", 1)[1]
    assert 200 < table.count("<tr>") < 260


# -- charts -------------------------------------------------------------------------------------------------------


def test_curves_are_interrupted_where_there_was_nothing():
    """Seconds without a delivery leave a hole, and a second alone is a dash."""
    result = a_result(2, 10)
    timeline = [each for each in result.timeline if each.second >= 0]
    silent = [
        type(each)(each.second, each.users, 0, 0, 0) if each.second in {3, 4, 6} else each for each in timeline
    ]  # fmt: skip
    drawn = charts(a_result(2, 10, timeline=silent))
    path = next(line.path for line in drawn.latencies[0].lines if line.name == "p99")
    assert path.count("M") == 3
    assert re.search(r"M[\d.]+ [\d.]+m-4 0h8", path)


@pytest.mark.parametrize("values", [[0.02, 0.4], [1.0, 1.0], [2, 30_000], [], [0.0], [999.0]])
def test_a_logarithmic_axis_holds_its_values(values):
    """Between its ends, with two to six ticks, the first and the last place 0 and 1."""
    made = axis.logarithmic(values)
    assert 2 <= len(made.ticks) <= 7
    assert all(made.low <= value <= made.high for value in values if value > 0)
    assert (made.place(made.low), made.place(made.high)) == (0, pytest.approx(1))
    assert list(made.ticks) == sorted(set(made.ticks))


@pytest.mark.parametrize("highest", [0, 1, 7, 120, 1071, 40_000, 123_456_789])
def test_a_linear_axis_begins_at_zero(highest):
    """It ends at or past the greatest value, with at most seven ticks."""
    made = axis.linear([0, highest])
    assert made.low == 0
    assert made.high >= highest
    assert len(made.ticks) <= 7


@pytest.mark.parametrize("seconds", [0, 1, 5, 20, 60, 600, 7200, 86_400])
def test_the_time_axis_has_few_ticks_at_round_times(seconds):
    """From connecting to the end, as many as a telephone has room for."""
    made = axis.time(-3, seconds)
    assert 1 <= len(made.ticks) <= 8
    assert 0 in made.ticks


def test_times_are_written_as_people_do():
    """Seconds below a minute, then minutes."""
    assert [axis.clock(value) for value in (0, 45, 150, -3)] == ["0", "45 s", "2:30", "−3 s"]  # noqa: RUF001


# -- looks ----------------------------------------------------------------------------------------------------------


def palettes():
    """The custom properties of the style sheet: light, and dark where it differs."""
    family, own = tokens(FAMILY.read_text()), tokens(CSS)
    light, dark = ({**theirs, **mine} for theirs, mine in zip(family, own, strict=True))
    return {"light": light, "dark": light | dark}


def tokens(css):
    """Name and value of each custom property: for light, and for dark."""
    return [dict(re.findall(r"--([\w-]+): (.*?);", root)) for root in ROOTS.findall(css)]


def test_the_report_is_of_one_family_with_the_pages():
    """Colours and type are those of the pages' own style sheet; the report's repeats none of them, and lacks none."""
    for mine, theirs in zip(tokens(CSS), tokens(FAMILY.read_text()), strict=True):
        assert mine.keys().isdisjoint(theirs)
    text = report.style()
    defined = set(re.findall(r"--([\w-]+):", text + report.render(a_result())))
    assert set(re.findall(r"var\(--([\w-]+)", text)) <= defined
    assert tokens(FAMILY.read_text())[0]["paper"] in text
    assert text.count("prefers-color-scheme: dark") == text.count("@media screen and (prefers-color-scheme: dark)") == 2


def luminance(colour):
    """Relative luminance as WCAG 2.2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


TEXT = [(text, ground) for text in ("ink", "muted", "accent", "good", "wait", "bad") for ground in ("paper", "surface")]
TEXT += [("ink", f"shade-{n}") for n in range(1, 6)] + [("on-bad", "bad"), ("on-wait", "wait"), ("ink", "tint")]
SHAPES = [(shape, ground) for shape in ("edge", "accent", "good", "wait", "bad") for ground in ("paper", "surface")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_keep_wcag_aa(scheme):
    """Text has 4.5:1 against what it stands on, curves and wires 3:1."""
    colours = palettes()[scheme]
    for pairs, least in ((TEXT, 4.5), (SHAPES, 3.0)):
        for front, ground in pairs:
            assert contrast(colours[front], colours[ground]) >= least, (front, ground)


@pytest.mark.browser
async def test_nothing_is_cut_off_on_any_screen(tmp_path):
    """From 320 to 1600 px the page is no wider than the screen, only tables scroll, and no script complains."""
    problems = []
    async with launched() as browser:
        page = await browser.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        page.on("request", lambda request: problems.append(request.url) if "file:" not in request.url else None)
        for name, make in SAMPLES.items():
            report.write(make(), tmp_path / f"{name}.html")
            for width in (320, 360, 800, 1600):
                await page.set_viewport_size({"width": width, "height": 800})
                await page.goto((tmp_path / f"{name}.html").as_uri())
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)
                cut = await page.evaluate(
                    "[...document.querySelectorAll('dd, h1, h2, h3, .sentence, .events li')]"
                    ".filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.textContent)"
                )
                assert cut == [], (name, width)
    assert [each for each in problems if not each.startswith("data:")] == []


@pytest.mark.browser
async def test_pointing_at_a_second_tells_its_values(tmp_path):
    """The figures of the second appear above the chart, and go with the pointer; without scripts all else stays."""
    result = a_result(3, 20)
    report.write(result, tmp_path / "report.html")
    async with launched() as browser:
        page = await browser.new_page()
        await page.goto((tmp_path / "report.html").as_uri())
        chart = page.locator('[data-chart="delivered"]')
        await chart.locator(".plot").hover()
        told = await chart.locator(".readout").inner_text()
        assert re.fullmatch(r"\d+ s: p50 [\d.]+ ms, p99 [\d.]+ ms, p99\.9 [\d.]+ ms", told)
        await page.mouse.move(0, 0)
        assert await chart.locator(".readout").inner_text() == ""
        still = await (await browser.new_context(java_script_enabled=False)).new_page()
        await still.goto((tmp_path / "report.html").as_uri())
        assert await still.locator("h1").inner_text() == Verdict.PROVED.capitalize()
        assert await still.locator(".plot .curve").count() == 3 * 3 + 4
