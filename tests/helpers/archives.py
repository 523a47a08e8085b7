"""Write archives entry by entry, also ones that no tool would write."""

import io
import tarfile
import zipfile


def zipped(path, entries, compression=zipfile.ZIP_DEFLATED):
    """path: of the archive, or a file in memory. entries: pairs of a name and contents."""
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in entries:
            file.writestr(name, data)
    return path


def tarred(path, entries, mode="w"):
    """As `zipped`; names may be `TarInfo`s of links and devices."""
    place = {"fileobj" if hasattr(path, "write") else "name": path}
    with tarfile.open(**place, mode=mode) as file:
        for info, data in entries:
            info = tarfile.TarInfo(info) if isinstance(info, str) else info
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path
