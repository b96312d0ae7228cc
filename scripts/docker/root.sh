#!/bin/sh
# root.sh DEST NODE_MODULES: writes the system files of the image into DEST/system, and its writable folders into DEST/state.
#
# The system is node, env (for "#!/usr/bin/env node") and every library that these and the native parts link to.
set -eu
system=$1/system state=$1/state modules=$2

mkdir -p "$system/usr/local/bin" "$system/usr/bin" "$system/etc" "$system/tmp" "$system/var/lib/dpkg"
chmod 1777 "$system/tmp"
cp "$(command -v node)" "$system/usr/local/bin/node"
cp /usr/bin/env "$system/usr/bin/env"
ln -s /app/cli/spor.mjs "$system/usr/local/bin/spor"

# Libraries keep their paths: "name => path (address)", or "path (address)" for the loader.
find "$modules" -name '*.node' -o -name '*.so*' -type f >/tmp/native
for file in /usr/bin/env "$(command -v node)" $(cat /tmp/native); do
  ldd "$file" 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\) (.*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p'
done | sort -u | grep -v "^$modules" >/tmp/libraries
while read -r library; do
  mkdir -p "$system$(dirname "$library")"
  cp -L "$library" "$system$library"
done </tmp/libraries

# Names of the user, order of name services (without it /etc/hosts is not read first), authorities, and the release.
printf 'root:x:0:0:root:/:/sbin/nologin\nnode:x:1000:1000:node:/tmp:/sbin/nologin\n' >"$system/etc/passwd"
printf 'root:x:0:\nnode:x:1000:\n' >"$system/etc/group"
printf 'hosts: files dns\n' >"$system/etc/nsswitch.conf"
cp -L /etc/os-release "$system/etc/os-release"

# Scanners look for the packages of the system here.
{ cat /tmp/libraries; echo /usr/bin/env; } | while read -r file; do dpkg-query -S "$(readlink -f "$file")" "$file" 2>/dev/null; done \
  | sed 's/:.*//' | sort -u | while read -r package; do dpkg-query -s "$package" && echo; done >"$system/var/lib/dpkg/status"

mkdir -p "$state/run/spor/identity" "$state/var/spor/work"
for role in ingest processor query operator; do mkdir -p "$state/var/spor/access/$role"; done
