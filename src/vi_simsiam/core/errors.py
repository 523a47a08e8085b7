"""The one exception that is meant for the person at the keyboard."""


class Problem(Exception):
    """Something the user can act on. The message names the thing, what is wrong with it, and the way out.

    Scripts print it without a traceback and exit with status 1 (see `vi_simsiam.core.command`).
    """

    def __str__(self) -> str:
        """The message. It may hold names that come from anywhere: what a terminal would obey is shown by its code."""
        return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in super().__str__())
