#!/bin/sh
# Makes the image local/tesseract:5 (180 MB, 15 s) of Debian's own packages, without any registry of
# images. What was unpacked once is kept in the user's cache folder; remove it there to get newer
# packages. Needs mmdebstrap, the docker command, and an engine that it reaches.
set -eu
cd "$(dirname "$0")"
image=${1:-local/tesseract:5}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice
root=$cache/tesseract-bookworm.tar

if [ ! -s "$root" ]; then
  mkdir -p "$cache"
  packages=tesseract-ocr,tesseract-ocr-eng,python3-minimal,libpython3-stdlib
  mmdebstrap --quiet --variant=extract --include=$packages bookworm "$root.$$.tar"
  mv "$root.$$.tar" "$root"
fi

whole=$(mktemp)
trap 'rm -f "$whole"' EXIT
cp "$root" "$whole"
tar --append --file "$whole" --owner=0 --group=0 --transform='s,^,app/,' server.py
docker import \
  --change 'ENV PATH=/usr/bin:/bin' \
  --change 'ENTRYPOINT ["python3", "/app/server.py"]' \
  - "$image" <"$whole"
