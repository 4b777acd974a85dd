"""Checks that Lambda can start the built functions: folders with `bootstrap`, as arguments.

Lambda runs an executable file `bootstrap`, here on arm64 and Amazon Linux 2023, which has glibc 2.34
(https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html).
"""

import os
import re
import struct
import sys
from pathlib import Path

AARCH64 = 183
GLIBC = (2, 34)
# Far below Lambda's limit of 250 MB: a larger one has debug information.
BYTES = 20_000_000


def problems(path):
    """The reasons for which Lambda would not start a function."""
    content = path.read_bytes()
    if not os.access(path, os.X_OK):
        yield "not executable"
    if content[:5] != b"\x7fELF\x02":
        yield "not a 64-bit ELF file"
    elif struct.unpack_from("<H", content, 18) != (AARCH64,):
        yield "not compiled for arm64"
    # Names of symbol versions are text in the file.
    versions = {(int(major), int(minor)) for major, minor in re.findall(rb"\0GLIBC_(\d+)\.(\d+)", content)}
    if versions and max(versions) > GLIBC:
        yield f"needs glibc {'.'.join(map(str, max(versions)))}, and Lambda has {'.'.join(map(str, GLIBC))}"
    if len(content) > BYTES:
        yield f"has {len(content):,} bytes, more than {BYTES:,}"


def main():
    wrong = [f"{folder}: {reason}" for folder in sys.argv[1:] for reason in problems(Path(folder) / "bootstrap")]
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    return 1 if wrong else 0


sys.exit(main())
