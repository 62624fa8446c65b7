"""What a page says and what it must never hold, read by a parser as a browser would."""

from html.parser import HTMLParser

VOID = {"meta", "link", "input", "img", "br", "hr", "line", "circle", "polygon", "polyline"}


class Reading(HTMLParser):
    """A page taken apart: its links, its headings, its fields and labels, and all that breaks a rule of the house."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[dict[str, str]] = []
        self.wrong: list[str] = []
        self.words: list[str] = []
        self.titles: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append(tag)
        if "style" in told or tag == "style" or any(name.startswith("on") for name in told):
            self.wrong.append(f"{tag} with a style or a script of its own: {told}")
        if tag == "script" and not told.get("src", "").startswith("/static/"):
            self.wrong.append("a script that is not ours")
        if tag == "th" and "scope" not in told:
            self.wrong.append("a head of a table without scope")
        if tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append(int(tag[1]))
        if tag == "a":
            self.links.append(told.get("href", ""))
        if "id" in told:
            self.ids.append(told["id"])
        if tag == "label" and "for" in told:
            self.labelled.add(told["for"])
        if tag in {"input", "select", "textarea"} and told.get("type") != "hidden":
            inside = "label" in self._open
            self.fields.append({**told, "tag": tag, "inside": "yes" if inside else ""})

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open[-1:] not in (["script"], ["style"]):
            self.words.append(data)

    @property
    def text(self) -> str:
        """All words of the page."""
        return " ".join(" ".join(self.words).split())


def must_be_well_made(text: str) -> Reading:
    """No script, style or handler in the page, headings in order, a label for every field, each id once."""
    read = Reading(text)
    assert read.wrong == []
    assert read.headings[:1] == [1]
    assert read.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(read.headings, read.headings[1:], strict=False))
    unlabelled = [
        f for f in read.fields if not f["inside"] and f.get("id") not in read.labelled and "aria-label" not in f
    ]
    assert unlabelled == []
    assert sorted(read.ids) == sorted(set(read.ids))
    return read
