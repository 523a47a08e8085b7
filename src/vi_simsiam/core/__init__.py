from importlib.util import find_spec

if find_spec("fcntl") is None:  # the first import of every command and step comes here
    raise SystemExit("error: vi-simsiam works on Linux and macOS, not on Windows itself: use it there in WSL2.")
