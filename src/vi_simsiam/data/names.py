"""Which files are taken for images: by their names, and where these say nothing by their first bytes."""

import re
from pathlib import PurePosixPath

ARCHIVE = "images"  # name in the download folder, before its suffix, of the archive of one's own images
HEAD = 256  # first bytes of a file that tell its kind
RAW = "a camera's raw file, which everybody develops otherwise: save it as JPEG, PNG or TIFF"

_READ = (
    ".jpg .jpeg .jpe .jfif .jfi .jif .pjpeg .pjp .mpo .png .apng .webp .gif .bmp .dib .tif .tiff .ppm .pgm .pbm .pnm "
    ".jp2 .j2k .jpf .jpx .j2c .jpc .jpm .avif .avifs .heic .heics .heif .heifs .hif"
)
_RAW = ".3fr .arw .cr2 .cr3 .crw .dng .erf .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .rw2 .rwl .sr2 .srf .srw .x3f"
_OTHER = ".jxl .jxr .hdp .wdp .psd .psb .xcf .svg .svgz .tga .ico .exr .hdr .dcm .dicom .dds .qoi .pcx .sgi .fits .pfm"
_IMAGES = (*_READ.split(), *_RAW.split(), *_OTHER.split())
# What systems, and the boxes in which people keep their disks (Synology, QNAP), leave in folders beside hidden files.
_JUNK = (
    "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "@__thumb",
    "#recycle", "@recycle", "@recently-snapshot", "#snapshot", "$recycle.bin", "system volume information",
    "lost+found",
)  # fmt: skip
_KINDS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "GIF": rb"GIF8[79]a",
    "WebP": rb"RIFF....WEBP",
    "TIFF": rb"II\*\0|MM\0\*|II\+\0|MM\0\+",
    "BMP": rb"BM....\0\0\0\0....[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "PPM": rb"P[1-6]\s+(#[^\n]*\n\s*)*\d+\s+(#[^\n]*\n\s*)*\d+\s",
    "JPEG 2000": rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "AVIF": rb"....ftypavi[fs]",
    "HEIC": rb"....ftyp(he[iv][cxms]|mif1|msf1)",
    "JPEG XL": rb"\0\0\0\x0cJXL \r\n\x87\n",
    "Photoshop": rb"8BPS",
    "GIMP": rb"gimp xcf",
    "OpenEXR": rb"v/1\x01",
    "DICOM": rb".{128}DICM",
    "QOI": rb"qoif",
    "DDS": rb"DDS \x7c",
    "Radiance": rb"#\?RADIANCE|#\?RGBE",
    "FITS": rb"SIMPLE  =",
}
_PATTERNS = {kind: re.compile(pattern, re.DOTALL) for kind, pattern in _KINDS.items()}


def is_hidden(name: str) -> bool:
    """Whether a path (with forward slashes) is of a hidden file or of what operating systems leave in folders."""
    parts = PurePosixPath(name).parts
    return any((part.startswith(".") and part != "..") or part.lower() in _JUNK for part in parts)


def is_image(name: str) -> bool:
    """Whether a path ends as images' do, also such images as cannot be read here; and is not hidden."""
    return name.lower().endswith(_IMAGES) and not is_hidden(name)


def is_raw(name: str) -> bool:
    """Whether a path ends as cameras' raw files do. They look like TIFF, and hold a thumbnail that is one."""
    return name.lower().endswith(tuple(_RAW.split()))


def kind_of(head: bytes) -> str | None:
    """The kind of image that a file is by its first `HEAD` bytes; None: no image by them."""
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.match(head)), None)
