"""Archives written entry by entry, also such as no tool would write."""

import io
import tarfile
import zipfile


def zipped(path, entries, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in entries:
            file.writestr(name, data)
    return path


def tarred(path, entries, mode="w"):
    with tarfile.open(path, mode) as file:
        for info, data in entries:
            info = tarfile.TarInfo(info) if isinstance(info, str) else info
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path
