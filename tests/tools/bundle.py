"""Unpacks an export bundle and checks it against its own manifest and schemas. Prints its files as JSON: name to text.

    bundle.py BUNDLE

Shares no code with the writer: archives are read by Python's zipfile, schemas by a validator.
"""

import hashlib
import json
import sys
import zipfile

from jsonschema_rs import meta, validator_for

with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None, "a checksum in the archive is wrong"
    files = {name: archive.read(name) for name in archive.namelist()}
    assert len(files) == len(archive.namelist()), "two files have one name"


def check(name, document):
    schema = json.loads(files["schemas/" + name.split(".")[0] + ".schema.json"])
    meta.validate(schema)
    validator = validator_for(schema)
    rows = [document] if name.endswith(".json") else document
    for row in rows:
        for error in validator.iter_errors(row):
            sys.exit(f"{name}: {error.message} at {error.instance_path} in {row}")


# Each line is one record.
def lines(name):
    text = files[name].decode()
    assert text == "" or text.endswith("\n"), f"{name} is cut off"
    return [json.loads(line) for line in text.splitlines()]


manifest = json.loads(files["manifest.json"])
check("manifest.json", manifest)
listed = {entry["name"]: entry for entry in manifest["files"]}
assert listed.keys() | {"manifest.json"} == files.keys(), (sorted(listed), sorted(files))
for name, entry in listed.items():
    assert entry["sha256"] == hashlib.sha256(files[name]).hexdigest(), f"{name} has another hash"
    assert entry["bytes"] == len(files[name]), f"{name} has another length"
    if name.endswith(".ndjson"):
        rows = lines(name)
        assert entry["rows"] == len(rows), f"{name} has {len(rows)} lines"
        check(name, rows)
check("account.json", json.loads(files["account.json"]))
readme = files["README.txt"].decode()
for name in files.keys() - {"README.txt"}:
    folder = name[: name.find("/") + 1]
    assert (folder or name) in readme, f"the README does not tell of {name}"
json.dump({name: content.decode() for name, content in files.items()}, sys.stdout)
