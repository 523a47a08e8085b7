"""The one exception that is meant for users."""

from vi_simsiam.core.text import printable


class Problem(Exception):
    """An error that the user can act on. The message names the thing, the fault, and the way out.

    Scripts print it without a traceback and exit with status 1 (see `vi_simsiam.core.command`).
    """

    def __str__(self) -> str:
        """The message, with control characters shown by their codes: it may hold names from anywhere."""
        return printable(super().__str__(), keep="\n")
