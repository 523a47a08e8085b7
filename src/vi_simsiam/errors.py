"""The one exception that is meant for the person at the keyboard."""


class Problem(Exception):
    """Something the user can act on. The message names the thing, what is wrong with it, and the way out.

    Scripts print it without a traceback and exit with status 1 (see `vi_simsiam.command`).
    """
