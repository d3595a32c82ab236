"""What the person in front of Resolve sees: a small window where this edition has them, else the console."""

import contextlib
import sys
from typing import Any, List, Optional, Sequence

# Moving the pointer over a window makes events too.
_EVENTS_A_TURN = 20


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

    def choose(self, question: str, options: Sequence[str]) -> Optional[int]:
        """The number of the option that the person chooses, None for none of them. Without a window, and
        where there is no choice, it is the first."""
        if self._window is not None and len(options) > 1:
            return self._window.choose(question, options)
        return 0

    @property
    def said(self) -> List[str]:
        """All sentences so far."""
        return list(self._lines)

    def is_open(self) -> bool:
        """Whether the person has not closed the window, which gets a chance to notice; the console stays."""
        return self._window is None or self._window.is_open()

    def wait(self) -> None:
        """Leave a window open until the person closes it."""
        if self._window is not None:
            self._window.wait()

    def _draw(self, lines: List[str]) -> None:
        if self._window is not None:
            self._window.draw("\n".join(lines))


class _Window:
    """A window of Resolve's own toolkit, with a text and a button to close it."""

    def __init__(self, window: Any, dispatcher: Any, ui: Any) -> None:
        self._window, self._dispatcher, self._ui = window, dispatcher, ui
        window.On.mtbsync.Close = self._close
        window.On.close.Clicked = self._close
        self._text = window.GetItems()["text"]
        self._is_closed = False
        window.Show()

    def draw(self, text: str) -> None:
        self._text.PlainText = text

    def is_open(self) -> bool:
        for _ in range(_EVENTS_A_TURN):
            # It complains of events that nobody here waits for.
            with contextlib.suppress(KeyError):
                self._dispatcher.StepLoop()
        return not self._is_closed

    def wait(self) -> None:
        if not self._is_closed:
            self._dispatcher.RunLoop()
        self._window.Hide()

    def choose(self, question: str, options: Sequence[str]) -> Optional[int]:
        """A window of its own, with a list and a button for each answer."""
        ui = self._ui
        about = {"ID": "choice", "WindowTitle": question, "Geometry": [240, 240, 420, 120]}
        parts = [
            ui.ComboBox({"ID": "options"}),
            ui.Button({"ID": "take", "Text": "OK", "Weight": 0}),
            ui.Button({"ID": "leave", "Text": "Cancel", "Weight": 0}),
        ]
        window = self._dispatcher.AddWindow(about, [ui.VGroup(parts)])
        shown = window.GetItems()["options"]
        for option in options:
            shown.AddItem(option)
        taken: List[int] = []

        def take(event: Any) -> None:
            taken.append(int(shown.CurrentIndex))
            self._dispatcher.ExitLoop()

        def leave(event: Any) -> None:
            self._dispatcher.ExitLoop()

        window.On.take.Clicked = take
        window.On.leave.Clicked = leave
        window.On.choice.Close = leave
        window.Show()
        self._dispatcher.RunLoop()
        window.Hide()
        return taken[0] if taken else None

    def _close(self, event: Any) -> None:
        self._is_closed = True
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
    return Screen(None if window is None else _Window(window, dispatcher, ui))


def _print(text: str) -> None:
    """To the console, whatever letters it can show: a name must not end a script half-way."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    print(text.encode(encoding, "replace").decode(encoding))
