"""What the dynamic loader would read from an ELF file.

For the builder, which sets an RPATH only where something is loaded, and for the
gate, which asks whether all of it is there. Guarantees: `parse` gives None for
anything that is not a 64-bit little-endian ELF file, and looks only at program
headers, as the loader does, so that a stripped file is no different. Does not
write ELF files (patchelf does), nor read symbols or their versions.
"""

import struct
from dataclasses import dataclass

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH = 1, 5, 15, 29
ELF64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"


@dataclass(frozen=True)
class Elf:
    needed: tuple[str, ...] = ()
    rpath: str | None = None
    runpath: str | None = None
    interpreter: str | None = None


def parse(data: bytes) -> Elf | None:
    """The loader's view of a file, or None if it is not an ELF file."""
    if not data.startswith(ELF64_LITTLE_ENDIAN):
        return None
    segments = _segments(data)
    interpreter = None
    dynamic: list[tuple[int, int]] = []
    for kind, offset, _, size in segments:
        if kind == PT_INTERP:
            interpreter = data[offset : offset + size].rstrip(b"\0").decode()
        elif kind == PT_DYNAMIC:
            dynamic = list(struct.iter_unpack("<qQ", data[offset : offset + size - size % 16]))

    values = dict(dynamic)
    if DT_STRTAB not in values:
        return Elf(interpreter=interpreter)
    strings = _file_offset(segments, values[DT_STRTAB])

    def text(tag: int) -> str | None:
        return _string(data, strings + values[tag]) if tag in values else None

    needed = tuple(_string(data, strings + value) for tag, value in dynamic if tag == DT_NEEDED)
    return Elf(needed, text(DT_RPATH), text(DT_RUNPATH), interpreter)


def _segments(data: bytes) -> list[tuple[int, int, int, int]]:
    """(type, file offset, virtual address, size in the file) of each program header."""
    (table,) = struct.unpack_from("<Q", data, 32)
    entry_size, count = struct.unpack_from("<HH", data, 54)
    segments = []
    for index in range(count):
        kind, _, offset, address, _, size = struct.unpack_from(
            "<IIQQQQ", data, table + index * entry_size
        )
        segments.append((kind, offset, address, size))
    return segments


def _file_offset(segments: list[tuple[int, int, int, int]], address: int) -> int:
    for kind, offset, start, size in segments:
        if kind == PT_LOAD and start <= address < start + size:
            return address - start + offset
    raise ValueError(f"no segment holds the address {address:#x}")


def _string(data: bytes, offset: int) -> str:
    return data[offset : data.index(b"\0", offset)].decode()
