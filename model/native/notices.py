"""Prints the licence of every crate that a Cargo.toml, named by its folder, links; needs cargo and the crates' sources."""

import json
import subprocess
import sys
from pathlib import Path

metadata = json.loads(
    subprocess.run(
        ["cargo", "metadata", "--format-version=1", "--locked", "--filter-platform=x86_64-unknown-linux-gnu"],
        cwd=sys.argv[1],
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
)
for package in sorted(metadata["packages"], key=lambda package: (package["name"], package["version"])):
    if package["source"] is None:
        continue  # the library itself: github.com/daulet/tokenizers, a Go module
    print(f"==== {package['name']} {package['version']}: {package['license']}")
    folder = Path(package["manifest_path"]).parent
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.name.lower().startswith(("licen", "copying", "notice")):
            print(file.read_text(errors="replace"))
