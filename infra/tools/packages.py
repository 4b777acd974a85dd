"""Checks the functions' packages before they are uploaded, without AWS: python3 and its standard library are enough.

    packages FOLDER     checks FOLDER/FUNCTION/bootstrap of every function of the template
    packages --test     checks the checks

Each package must have an executable `bootstrap`: a 64-bit ELF program for ARM (aarch64) that needs no newer glibc than the
runtime has ([AL2023]), and `partitions.json` (docs/decisions/0047-shorten-start-up-by-environment.md). Its size must be within
Lambda's limit ([quotas]), which is far above the budgets of tests/tools/smoke.

[AL2023]: https://docs.aws.amazon.com/linux/al2023/release-notes/all-packages-AL2023.html (glibc 2.34)
[quotas]: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

import argparse
import os
import pathlib
import re
import struct
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The version of glibc in the runtime provided.al2023.
GLIBC = (2, 34)
# The unzipped size of a package, in bytes.
UNZIPPED = 250 * 1024 * 1024
# The largest functions have less than 7 MB (docs/performance.md); the limit of Lambda would not notice a wrong build.
BOOTSTRAP = 8_000_000

EXECUTABLE, SHARED = 2, 3
AARCH64 = 183
MACHINES = {3: "x86", 40: "32-bit ARM", 62: "x86-64", 183: "aarch64", 243: "RISC-V"}
SECTION_NEEDED_VERSIONS = 0x6FFFFFFE


class Refused(Exception):
    """Why a package can't be deployed."""


class Elf:
    """A 64-bit little-endian ELF file."""

    def __init__(self, data):
        if data[:4] != b"\x7fELF":
            raise Refused("bootstrap is no ELF program")
        if data[4:6] != b"\x02\x01":
            raise Refused("bootstrap is no 64-bit little-endian program")
        self.data = data
        header = self.read("<HHIQQQIHHHHHH", 16)
        self.type, self.machine = header[0], header[1]
        self.section_table, self.section_size, self.section_count = header[5], header[10], header[11]

    def read(self, form, at):
        try:
            return struct.unpack_from(form, self.data, at)
        except struct.error:
            raise Refused("bootstrap is truncated") from None

    def section(self, number):
        """Type, offset, linked section, and number of entries of a section."""
        _, kind, _, _, offset, _, link, info = self.read("<IIQQQQII", self.section_table + number * self.section_size)
        return kind, offset, link, info

    def text(self, at):
        end = self.data.find(b"\0", at)
        if end < 0:
            raise Refused("bootstrap is truncated")
        return self.data[at:end].decode("ascii", "replace")

    def needed_versions(self):
        """The names of all symbol versions that the program needs from its libraries, such as GLIBC_2.34."""
        for number in range(self.section_count):
            kind, at, link, libraries = self.section(number)
            if kind != SECTION_NEEDED_VERSIONS:
                continue
            strings = self.section(link)[1]
            for _ in range(libraries):
                _, count, _, first, next_library = self.read("<HHIII", at)
                entry = at + first
                for _ in range(count):
                    _, _, _, name, next_entry = self.read("<IHHII", entry)
                    yield self.text(strings + name)
                    entry += next_entry
                at += next_library


def newest_glibc(versions):
    """The newest version of glibc among these, as a pair of numbers."""
    found = (re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", version) for version in versions)
    return max(((int(match[1]), int(match[2])) for match in found if match), default=(0, 0))


def check_program(data):
    """Refuses a program that Lambda can't run."""
    elf = Elf(data)
    if elf.type not in (EXECUTABLE, SHARED):
        raise Refused("bootstrap is no program, but another kind of ELF file")
    if elf.machine != AARCH64:
        raise Refused(f"bootstrap is for {MACHINES.get(elf.machine, elf.machine)}, not for aarch64")
    glibc = newest_glibc(elf.needed_versions())
    if glibc > GLIBC:
        raise Refused("bootstrap needs glibc %d.%d; the runtime has %d.%d" % (*glibc, *GLIBC))
    return glibc


def check_package(folder):
    """Refuses a package that can't be deployed. Returns the newest glibc version that it needs."""
    bootstrap = folder / "bootstrap"
    if not bootstrap.is_file():
        raise Refused("bootstrap is missing")
    if not os.access(bootstrap, os.X_OK):
        raise Refused("bootstrap is not executable")
    if not (folder / "partitions.json").is_file():
        raise Refused("partitions.json is missing")
    size = bootstrap.stat().st_size
    if size > BOOTSTRAP:
        raise Refused(f"bootstrap has {size:,} bytes; more than {BOOTSTRAP:,} is a mistake, such as a build for debugging")
    whole = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    if whole > UNZIPPED:
        raise Refused(f"the package has {whole:,} bytes; Lambda takes {UNZIPPED:,}")
    return check_program(bootstrap.read_bytes())


def expected():
    """The functions: each has a main."""
    return sorted(main.stem for main in ROOT.glob("functions/*/src/bin/*.rs"))


def check_all(folder, functions):
    """Checks the packages of these functions. Returns the refusals, and the newest glibc version."""
    refusals, newest = [], (0, 0)
    for function in functions:
        try:
            newest = max(newest, check_package(folder / function))
        except Refused as refused:
            refusals.append(f"{function}: {refused}")
    return refusals, newest


def made_up(machine=AARCH64, versions=("GLIBC_2.17", "GLIBC_2.34", "GCC_3.0"), kind=SHARED):
    """An ELF file with one library that has these versions."""
    strings, entries = b"\0", b""
    for number, version in enumerate(versions):
        is_last = number + 1 == len(versions)
        entries += struct.pack("<IHHII", 0, 0, 0, len(strings), 0 if is_last else 16)
        strings += version.encode() + b"\0"
    needed = struct.pack("<HHIII", 1, len(versions), 0, 16, 0) + entries
    needed_at, strings_at = 64, 64 + len(needed)
    sections_at = strings_at + len(strings)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, 0, sections_at, 0, 64, 0, 0, 64, 3, 0)
    row = "<IIQQQQIIQQ"
    sections = struct.pack(row, *[0] * 10)
    sections += struct.pack(row, 0, SECTION_NEEDED_VERSIONS, 0, 0, needed_at, len(needed), 2, 1, 0, 0)
    sections += struct.pack(row, 0, 3, 0, 0, strings_at, len(strings), 0, 0, 0, 0)
    return header + needed + strings + sections


def test():
    """Checks each check on a made-up package, and on a program of this machine."""
    def outcome(data, mode=0o755, partitions=True, padding=0):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            if data is not None:
                (folder / "bootstrap").write_bytes(data + bytes(padding))
                (folder / "bootstrap").chmod(mode)
            if partitions:
                (folder / "partitions.json").touch()
            try:
                return "glibc %d.%d" % check_package(folder)
            except Refused as refused:
                return str(refused)

    good = made_up()
    cases = [
        (outcome(good), "glibc 2.34"),
        (outcome(made_up(versions=("GLIBC_2.4",))), "glibc 2.4"),
        (outcome(made_up(versions=("GLIBC_2.9", "GLIBC_2.35"))), "needs glibc 2.35"),
        (outcome(made_up(versions=("GLIBC_3.0",))), "needs glibc 3.0"),
        (outcome(made_up(machine=62)), "for x86-64"),
        (outcome(made_up(kind=1)), "no program"),
        (outcome(good, mode=0o644), "not executable"),
        (outcome(good, partitions=False), "partitions.json is missing"),
        (outcome(good, padding=BOOTSTRAP), "bytes"),
        (outcome(None), "bootstrap is missing"),
        (outcome(b""), "no ELF"),
        (outcome(b"#!/bin/sh\n"), "no ELF"),
        (outcome(b"\x7fELF\x01\x01" + good[6:]), "no 64-bit"),
        (outcome(good[:70]), "truncated"),
        (outcome(good[:-60]), "truncated"),
    ]
    python = pathlib.Path(sys.executable).resolve()
    if os.uname().machine == "x86_64" and python.stat().st_size < BOOTSTRAP:
        cases.append((outcome(python.read_bytes()), "for x86-64"))
    wrong = [f"{result!r} does not contain {part!r}" for result, part in cases if part not in result]
    refusals, _ = check_all(pathlib.Path("/nonexistent"), ["a", "b"])
    if refusals != ["a: bootstrap is missing", "b: bootstrap is missing"]:
        wrong.append(f"{refusals}")
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(cases)} packages are judged as they should be")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=pathlib.Path, nargs="?", help="such as target/lambda")
    arguments.add_argument("--test", action="store_true", help="check the checks")
    arguments.add_argument("--only", nargs="+", metavar="FUNCTION", help="check only these packages")
    wanted = arguments.parse_args()
    if wanted.test:
        return test()
    if wanted.folder is None:
        arguments.error("name a folder")
    functions = wanted.only or expected()
    refusals, newest = check_all(wanted.folder, functions)
    if refusals:
        sys.exit("error: these packages can't be deployed:\n  " + "\n  ".join(refusals))
    print("packages checked: %d; they need glibc %d.%d or newer" % (len(functions), *newest))


if __name__ == "__main__":
    main()
