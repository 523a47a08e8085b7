"""The one exception that is meant for the person at the keyboard."""

from vi_simsiam.core.text import printable


class Problem(Exception):
    """Something the user can act on. The message names the thing, what is wrong with it, and the way out.

    Scripts print it without a traceback and exit with status 1 (see `vi_simsiam.core.command`).
    """

    def __str__(self) -> str:
        """The message. It may hold names that come from anywhere: what a terminal would obey is shown by its code."""
        return printable(super().__str__(), keep="\n")
