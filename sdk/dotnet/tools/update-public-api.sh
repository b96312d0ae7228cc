#!/usr/bin/env bash
# Writes PublicAPI.Unshipped.txt of both packages anew from what the compiler sees. Read the difference before committing it:
# every line that goes or changes breaks somebody's build.
set -euo pipefail
cd "$(dirname "$0")/.."
for package in Spor.Tracking Spor.Tracking.AspNetCore; do
  file="src/$package/PublicAPI.Unshipped.txt"
  printf '#nullable enable\n' > "$file"
  dotnet build "src/$package" --no-incremental -v q -p:WarningsNotAsErrors=RS0016 2>&1 |
    sed -n "s/.*warning RS0016: Symbol '\(.*\)' is not part of the declared public API.*/\1/p" |
    LC_ALL=C sort -u > "$file.new"
  cat "$file.new" >> "$file"
  rm "$file.new"
done
