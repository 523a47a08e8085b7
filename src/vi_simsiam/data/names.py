"""Decide which files are images: by their paths, by the files beside them, else by their first bytes."""

import re
from collections.abc import Callable, Container
from pathlib import PurePosixPath

ARCHIVE = "images"  # name, without suffix, of the archive of the user's images in the download folder
HEAD = 256  # first bytes of a file that tell its kind
RAW = "a camera's raw file, which everybody develops otherwise: save it as JPEG, PNG or TIFF"
IN_THE_CLOUD = "not on this machine, only in iCloud: download it, then run again"

# Kinds of files that are ignored and counted.
HIDDEN = "hidden files and those of operating systems"
NO_IMAGES = "files that are no images"
ARRAYS = "arrays of NumPy, HDF5 or Zarr"
REPEATED_FOLDERS = "links to folders that are used already"
MASKS = "masks beside their images"
UNKNOWN = (NO_IMAGES, ARRAYS, REPEATED_FOLDERS, MASKS)  # kinds whose files are named: they may hold images
PREVIEWS = "previews of a photo library"
BACKUPS = "backups beside their images"
BESIDE_A_COPY = "raw files and drawings beside a readable copy"

_READ_HERE = (
    ".jpg .jpeg .jpe .jfif .jfi .jif .pjpeg .pjp .mpo .png .apng .webp .gif .bmp .dib .tif .tiff .ppm .pgm .pbm .pnm "
    ".jp2 .j2k .jpf .jpx .j2c .jpc .jpm .avif .avifs .heic .heics .heif .heifs .hif"
)
_OF_CAMERAS = (
    ".3fr .arw .cr2 .cr3 .crw .dng .erf .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .rw2 .rwl .sr2 .srf .srw .x3f"
)
_READ_ELSEWHERE = ".jxl .jxr .hdp .wdp .psd .psb .xcf .tga .ico .exr .hdr .dds .qoi .pcx .sgi .pfm"
# Scientific images and drawings: kind, endings, and a reader. Some begin with a preview as TIFF or JPEG.
_CONVERTED_BY = (
    ("DICOM image", ".dcm .dicom", "the package pydicom"),
    ("Zeiss CZI image", ".czi", "the package czifile"),
    ("Leica LIF image", ".lif", "the package readlif"),
    ("Nikon ND2 image", ".nd2", "the package nd2"),
    ("Olympus image", ".oib .oir .vsi", "Bio-Formats (bfconvert)"),
    ("Imaris image", ".ims", "the package h5py"),
    ("whole-slide image", ".svs .svslide .ndpi .mrxs .scn .bif .vms .vmu", "the package openslide-python"),
    ("NIfTI volume", ".nii .nii.gz", "the package nibabel"),
    ("FITS image", ".fits", "the package astropy"),
    ("electron microscope's image", ".mrc .mrcs .dm3 .dm4", "the package mrcfile or rosettasciio"),
    ("medical volume", ".nrrd .nhdr .mha .mhd", "the package SimpleITK"),
    ("drawing (SVG)", ".svg .svgz", "the package cairosvg"),
)
_READ, _RAW = tuple(_READ_HERE.split()), tuple(_OF_CAMERAS.split())
_BY_ENDING = {ending: (kind, reader) for kind, endings, reader in _CONVERTED_BY for ending in endings.split()}
_IMAGES = (*_READ, *_RAW, *_BY_ENDING, *_READ_ELSEWHERE.split())
_ARRAYS = re.compile(r"(.*\.(npy|npz|h5|hdf5|he5)|(.*/)?[^/]+\.zarr/.*)", re.IGNORECASE | re.DOTALL)
_BACKUP = re.compile(r"(.+)(_original|~|\.bak|\.backup|\.orig|\.old)", re.IGNORECASE | re.DOTALL)
_PLACEHOLDER = re.compile(r"\.(.+)\.icloud", re.IGNORECASE | re.DOTALL)
# Files and folders of operating systems and network disks (Synology, QNAP), beside hidden files.
_JUNK = (
    "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "@__thumb",
    "#recycle", "@recycle", "@recently-snapshot", "#snapshot", "$recycle.bin", "system volume information",
    "lost+found",
)  # fmt: skip
# Folders of photo libraries (Photos, iPhoto, Aperture, Lightroom, Capture One, Nextcloud) that hold no originals.
_PREVIEWS = re.compile(
    r"(.*/)?([^/]+\.photoslibrary/(?!originals/|masters/)[^/]+/"
    r"|[^/]+\.(photolibrary|aplibrary|migratedphotolibrary)/(?!originals/|masters/)[^/]+/"
    r"|[^/]+\.lrdata/|captureone/cache/|appdata_[^/]+/preview/).*",
    re.IGNORECASE | re.DOTALL,
)
_KINDS = {
    "DICOM": rb".{128}DICM",  # first, because the bytes before may be those of a TIFF
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
    "QOI": rb"qoif",
    "DDS": rb"DDS \x7c",
    "Radiance": rb"#\?RADIANCE|#\?RGBE",
    "FITS": rb"SIMPLE  =",
    "CZI": rb"ZISRAWFILE",
    "ND2": rb"\xda\xce\xbe\x0a",
    "LIF": rb"\x70\0\0\0....\x2a",
    "MRC": rb".{208}MAP[\0 ]",
    "NRRD": rb"NRRD000\d",
    "HDF5 file": rb"\x89HDF\r\n\x1a\n",
    "NumPy array": rb"\x93NUMPY",
}
_PATTERNS = {kind: re.compile(pattern, re.DOTALL) for kind, pattern in _KINDS.items()}
PAGED = ("TIFF", "GIF", "PNG", "WebP", "AVIF", "HEIC")  # kinds that may have several pages or frames
_OF_ARRAYS = ("HDF5 file", "NumPy array")


def is_hidden(name: str) -> bool:
    """True if a path (with forward slashes) is of a hidden file or of a file of operating systems."""
    parts = PurePosixPath(name).parts
    return any((part.startswith(".") and part != "..") or part.lower() in _JUNK for part in parts)


def is_image(name: str) -> bool:
    """True if a path has the ending of an image, even of a kind that is not read, and is not hidden."""
    return name.lower().endswith(_IMAGES) and not is_hidden(name)


def kind_of(head: bytes) -> str | None:
    """The kind of an image by its first `HEAD` bytes; None: not an image."""
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.match(head)), None)


def refusal(name: str) -> str | None:
    """The reason why an image with this name cannot be used; None: it may be used."""
    if _waits_in_the_cloud(name):
        return IN_THE_CLOUD
    lower = name.lower()
    if lower.endswith(_RAW):  # they look like TIFF, and hold a thumbnail that is one
        return RAW
    ending = next((ending for ending in _BY_ENDING if lower.endswith(ending)), None)
    return None if ending is None else _converted(*_BY_ENDING[ending])


def unread_kind(kind: str) -> str:
    """The reason why an image of this kind is not read, with the way out. kind: as of `kind_of`."""
    known = _BY_ENDING.get(f".{kind.lower()}")
    return f"{kind}, which is not read here: save it as PNG, TIFF or JPEG" if known is None else _converted(*known)


def _converted(kind: str, reader: str) -> str:
    article = "an" if kind[0] in "IOe" else "a"
    return f"{article} {kind}, which is not read here: convert it to PNG or TIFF, for example with {reader}"


def ignored_kind(name: str, beside: Container[str], head: Callable[[], bytes], library: str = "") -> str | None:
    """The kind of a file to ignore; None: it is an image, though perhaps one that cannot be read.

    Args:
        name: path with forward slashes, from the folder or archive that is read.
        beside: paths of the other files in its folder, in lower case (`name` may be among them).
        head: gives its first `HEAD` bytes; called only if the name does not tell.
        library: name of the folder that is read, which may be a photo library.
    """
    if _waits_in_the_cloud(name):
        return None
    if is_hidden(name):
        return HIDDEN
    if _PREVIEWS.fullmatch(f"{library}/{name}"):
        return PREVIEWS
    backup = _BACKUP.fullmatch(name)
    if backup and backup[1].lower() in beside and is_image(backup[1]):
        return BACKUPS
    lower = name.lower()
    if lower.endswith(_IMAGES):
        if not lower.endswith(_READ):
            stem = lower.rpartition(".")[0]
            if any(stem + ending in beside for ending in _READ):
                return BESIDE_A_COPY
        return None
    if _ARRAYS.fullmatch(f"{library}/{name}"):
        return ARRAYS
    kind = kind_of(head())
    if kind in _OF_ARRAYS:
        return ARRAYS
    return None if kind is not None else NO_IMAGES


def _waits_in_the_cloud(name: str) -> bool:
    """True if a file is macOS's placeholder for an image that is only in iCloud: `.IMG_1.HEIC.icloud`."""
    folder, _, last = name.rpartition("/")
    placeholder = _PLACEHOLDER.fullmatch(last)
    return bool(placeholder and is_image(placeholder[1])) and not is_hidden(folder)
