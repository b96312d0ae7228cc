#!/usr/bin/env bash
# Restores, builds, tests and packs the .NET SDK; ends with the first failure. Ten minutes at most.
#   ci.sh           everything
#   ci.sh --quick   build and unit tests only
set -euo pipefail
cd "$(dirname "$0")"
export CI=true DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
# Nothing of the build stays running.
export MSBUILDDISABLENODEREUSE=1 UseSharedCompilation=false
limit_seconds=600
started=$SECONDS

step() {
  printf '\n== %s (%ss)\n' "$1" "$((SECONDS - started))"
  shift
  local left=$((limit_seconds - (SECONDS - started)))
  if ((left <= 0)); then
    echo "ci.sh: out of time ($limit_seconds s)" >&2
    exit 1
  fi
  timeout --foreground "$left" "$@"
}

if ! command -v dotnet > /dev/null; then
  echo "ci.sh: dotnet is not on PATH; the .NET SDK was not built and not tested" >&2
  exit 69
fi

node=../../node_modules/node/bin/node
configuration=Release
run_tests() {
  "test/$1/bin/$configuration/net10.0/$1" -noColor -noLogo "${@:2}"
}
export -f run_tests
export configuration

step 'restore' dotnet restore Spor.Tracking.slnx --locked-mode -v q
if [[ -x $node ]]; then
  step 'generated models are current' "$node" tools/generate-models.ts --check
else
  echo "ci.sh: the repository's Node is not installed (npm ci); generated models were not checked" >&2
fi

if [[ ${1:-} == --quick ]]; then
  step 'build' dotnet build test/Spor.Tracking.Tests -c "$configuration" --no-restore -v q
  step 'unit tests' bash -c 'run_tests Spor.Tracking.Tests'
  exit
fi

step 'build' dotnet build Spor.Tracking.slnx -c "$configuration" --no-restore -v q
step 'unit tests' bash -c 'run_tests Spor.Tracking.Tests'
step 'ASP.NET Core tests' bash -c 'run_tests Spor.Tracking.AspNetCore.Tests'

rm -rf artifacts
for package in Spor.Tracking Spor.Tracking.AspNetCore; do
  step "pack $package" dotnet pack "src/$package" -c "$configuration" --no-build -v q -o artifacts/packages
done
SPOR_PACKAGES="$PWD/artifacts/packages" step 'packages in fresh projects' bash -c 'run_tests Spor.Tracking.PackageTests'

step 'build against netstandard2.0' dotnet build test/Spor.Tracking.Tests -c "$configuration" --no-restore -v q \
  -p:SporAsset=netstandard2.0 -p:RunAnalyzers=false -o artifacts/netstandard2.0
step 'unit tests of the netstandard2.0 build' artifacts/netstandard2.0/Spor.Tracking.Tests -noColor -noLogo

if [[ -x $node ]]; then
  step 'JavaScript SDK for the sample shop' "$node" ../js/scripts/build.ts
  step 'end to end' bash -c 'run_tests Spor.Tracking.EndToEnd'
else
  echo "ci.sh: the repository's Node is not installed (npm ci); the end-to-end tests did not run" >&2
fi
printf '\n.NET SDK: all passed in %s s\n' "$((SECONDS - started))"
