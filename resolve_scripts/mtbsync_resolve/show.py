"""What the person in front of Resolve sees: a small window where this edition has them, else the console."""

import sys
from typing import Any, List, Optional


class Screen:
    """Shows sentences one below the other. Everything goes to the console too, where it can be copied."""

    def __init__(self, window: "Optional[_Window]") -> None:
        self._window = window
        self._lines: List[str] = []
        self._passing = ""

    def say(self, text: str) -> None:
        """One more sentence."""
        self._lines.append(text)
        _print(text)
        self._draw(self._lines)

    def progress(self, text: str) -> None:
        """What is being done right now; in a window, the next sentence takes its place."""
        if self._window is None and text != self._passing:
            _print(text)
        self._passing = text
        self._draw([*self._lines, text])

    def wait(self) -> None:
        """Leave a window open until the person closes it."""
        if self._window is not None:
            self._window.wait()

    def _draw(self, lines: List[str]) -> None:
        if self._window is not None:
            self._window.draw("\n".join(lines))


class _Window:
    """A window of Resolve's own toolkit, with a text and a button to close it."""

    def __init__(self, window: Any, dispatcher: Any) -> None:
        self._window, self._dispatcher = window, dispatcher
        window.On.mtbsync.Close = self._close
        window.On.close.Clicked = self._close
        self._text = window.GetItems()["text"]
        window.Show()

    def draw(self, text: str) -> None:
        self._text.PlainText = text

    def wait(self) -> None:
        self._dispatcher.RunLoop()
        self._window.Hide()

    def _close(self, event: Any) -> None:
        self._dispatcher.ExitLoop()


def screen(title: str, fusion: Any, bmd: Any) -> Screen:
    """The best that this edition offers; only DaVinci Resolve Studio has windows for scripts."""
    ui = getattr(fusion, "UIManager", None)
    if ui is None or bmd is None:
        return Screen(None)
    dispatcher = bmd.UIDispatcher(ui)
    about = {"ID": "mtbsync", "WindowTitle": title, "Geometry": [200, 200, 560, 260]}
    text = ui.TextEdit({"ID": "text", "ReadOnly": True})
    close = ui.Button({"ID": "close", "Text": "Close", "Weight": 0})
    window = dispatcher.AddWindow(about, [ui.VGroup([text, close])])
    return Screen(None if window is None else _Window(window, dispatcher))


def _print(text: str) -> None:
    """To the console, whatever letters it can show: a name must not end a script half-way."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    print(text.encode(encoding, "replace").decode(encoding))
