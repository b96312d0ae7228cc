#!/usr/bin/env bash
# ceph-fetch.sh DEST: unpacks Ceph's S3 gateway, monitor and object store with all they depend on into DEST, from the
# Debian mirror and with the keys this machine is set up with. Installs nothing and leaves the system's apt state alone.
# DEST/VERSIONS tells what is there; a second call finds it and does nothing.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # dpkg's tools need what lies there
dest=$1
packages=(radosgw ceph-mon ceph-osd)
suites=(forky sid)

mkdir -p "$(dirname "$dest")"
exec 9> "$dest.lock"
flock 9 # test files run side by side: one fetches, the others wait
[ -e "$dest/VERSIONS" ] && exit 0

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
if [ ! -e "$keyring" ]; then
  echo "$keyring is missing: install the package debian-archive-keyring" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work" "$dest.new"' EXIT

# Options that give apt a state of its own below a folder.
private_state() {
  mkdir -p "$1"/lists/partial "$1"/archives/partial
  : > "$1/status"
  state=(-o Dir::State::Lists="$1/lists" -o Dir::State::status="$1/status" -o Dir::Cache="$1" -o Dir::Cache::archives="$1/archives"
    -o Acquire::Languages=none -o APT::Sandbox::User=root -o Debug::NoLocking=1)
}

# The first mirror of Debian proper among the sources; apt names it only for lists it has.
mirror_of() {
  apt-get "$@" indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 2> /dev/null |
    { grep -v security || true; } | sort -u | head -n 1
}

mirror=$(mirror_of)
if [ -z "$mirror" ]; then # a new machine has no lists yet
  private_state "$work/system"
  apt-get "${state[@]}" -qq update
  mirror=$(mirror_of "${state[@]}")
fi
if [ -z "$mirror" ]; then
  echo "no Debian mirror is configured in /etc/apt" >&2
  exit 1
fi

for suite in "${suites[@]}"; do
  private_state "$work/$suite"
  echo "deb [signed-by=$keyring] $mirror $suite main" > "$work/$suite.list"
  sources=(-o Dir::Etc::SourceList="$work/$suite.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null
    -o Dir::Etc::PreferencesParts=/dev/null -o Acquire::Check-Valid-Until=false)
  apt-get "${state[@]}" "${sources[@]}" -qq update || continue
  apt-cache "${state[@]}" "${sources[@]}" show "${packages[@]}" > /dev/null 2>&1 || continue
  # Nothing counts as installed, so this fetches the whole closure down to libc.
  apt-get "${state[@]}" "${sources[@]}" -qq -y --no-install-recommends --download-only install "${packages[@]}" > /dev/null

  rm -rf "$dest.new"
  mkdir -p "$dest.new"/usr/{bin,sbin,lib,lib64} "$dest.new"/{proc,dev,data,tmp,etc}
  for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$dest.new/$folder"; done
  for deb in "$work/$suite"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dest.new" --keep-directory-symlink \
      --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*'
  done
  for package in "${packages[@]}"; do
    dpkg-deb -W --showformat='${Package} ${Version}\n' "$work/$suite"/archives/"${package}"_*.deb
  done > "$dest.new/VERSIONS"
  mv "$dest.new" "$dest"
  exit 0
done
echo "none of the suites ${suites[*]} at $mirror has ${packages[*]}" >&2
exit 1
