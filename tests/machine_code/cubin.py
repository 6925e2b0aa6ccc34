"""What a compiled program holds besides machine code: the sections of its ELF file."""

import struct
from typing import NamedTuple

_SECTIONS_AT, _SECTION_SIZE_AT = 0x28, 0x3A
_NO_BITS = 8  # a section that has a size and no bytes in the file


class Section(NamedTuple):
    """The bytes of a section, and its size."""

    data: bytes
    size: int


def sections_of(cubin):
    """Return the sections of an ELF file of 64 bits by their names."""
    (at,) = struct.unpack_from("<Q", cubin, _SECTIONS_AT)
    size, count, names_number = struct.unpack_from("<HHH", cubin, _SECTION_SIZE_AT)
    headers = [struct.unpack_from("<IIQQQQ", cubin, at + number * size) for number in range(count)]
    names = headers[names_number][4]
    found = {}
    for name_at, kind, _flags, _address, offset, length in headers:
        name = cubin[names + name_at : cubin.index(b"\0", names + name_at)].decode()
        found[name] = Section(b"" if kind == _NO_BITS else cubin[offset : offset + length], length)
    return found
