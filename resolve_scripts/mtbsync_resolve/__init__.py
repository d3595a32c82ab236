"""What the scripts in DaVinci Resolve's menu run.

Standard library only, in the words of Python 3.6. `plan` and `place` decide and can be read without
Resolve; `host` reads and changes Resolve, `client` asks the daemon, `show` speaks to the person, and
`actions` ties them together, one function for each line of the menu.
"""


class ScriptError(Exception):
    """A sentence for the person in front of Resolve: what is wrong, and what to do next."""


class NotRunningError(ScriptError):
    """There is no daemon to ask."""
