"""Lua as the free edition of Resolve runs it: LuaJIT, with what its sandbox takes away taken away.

lupa carries LuaJIT on most systems, and Lua 5.1 elsewhere; scripts must run on both.
"""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any

from support.resolve_fake import Handle, ProjectManager, Resolve

_TAKEN_AWAY = (
    *("io", "require", "package", "ffi", "jit", "bit", "debug", "load", "loadstring", "loadfile", "dofile"),
    *("os", "python", "collectgarbage", "module", "newproxy", "setfenv", "getfenv"),
)


def interpreters() -> list[str]:
    """Modules of lupa that are at hand here, among those whose Lua is 5.1 as Resolve's is."""
    found = []
    for name in ("luajit21", "luajit20", "lua51"):
        try:
            import_module(f"lupa.{name}")
        except ImportError:
            continue
        found.append(name)
    return found


class _ForLua:
    """A fake object as Lua sees it: methods are called with a colon, lists and maps are tables."""

    def __init__(self, lua: Any, target: Any) -> None:
        self._lua, self._target = lua, target

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)

        @functools.wraps(method)
        def called(me: Any, *arguments: Any) -> Any:
            assert me is self, f"{name} is called with a colon"
            return _to_lua(self._lua, method(*arguments))

        return called


def _to_lua(lua: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return lua.table_from({k: _to_lua(lua, v) for k, v in value.items()})
    if isinstance(value, list):
        return lua.table_from([_to_lua(lua, v) for v in value])
    return _ForLua(lua, value) if isinstance(value, (Handle, ProjectManager, Resolve)) else value


def run_lua(script: str, resolve: Resolve | None, interpreter: str = "") -> list[str]:
    """Run a script as Resolve does, and give what it prints."""
    module = import_module(f"lupa.{interpreter or interpreters()[0]}")
    lua = module.LuaRuntime(unpack_returned_tuples=False, register_eval=False)
    printed: list[str] = []
    lua.globals()["print"] = lambda *words: printed.append(" ".join(map(str, words)))
    for name in _TAKEN_AWAY:
        lua.globals()[name] = None
    lua.globals()["resolve"] = None if resolve is None else _ForLua(lua, resolve)
    lua.execute(script)
    return printed


def evaluate(expression: str, interpreter: str = "") -> Any:
    """The value of a Lua expression, as bytes where it is a string."""
    module = import_module(f"lupa.{interpreter or interpreters()[0]}")
    return module.LuaRuntime(encoding=None).eval(expression.encode())
