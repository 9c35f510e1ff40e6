#!/bin/sh
# Builds a server that tests use, from its Go tool module `services/NAME`, once for each `go.sum`.
# Prints the path of the program. Called with --path it only prints where the program is or would be.
set -eu
cd "$(dirname "$0")/.."

only_path=
if [ "${1:-}" = --path ]; then only_path=1; shift; fi
name=${1:?which service: a folder of services/}
module=services/$name
[ -f "$module/go.sum" ] || { echo "there is no \`$module/go.sum\`" >&2; exit 2; }

sum=$(sha256sum "$module/go.sum" | cut -c 1-16)
place=${XDG_CACHE_HOME:-$HOME/.cache}/codetether-agent/$name-$sum
program=$place/$name
if [ -n "$only_path" ] || [ -x "$program" ]; then echo "$program"; exit 0; fi
command -v go >/dev/null || { echo "\`go\` is not installed: \`$name\` cannot be built" >&2; exit 3; }

mkdir -p "$place"
# One build at a time: whoever comes second finds the program.
exec 9>"$place/lock"
if command -v flock >/dev/null; then flock 9; fi
if [ ! -x "$program" ]; then
    package=$(sed -n 's/^tool //p' "$module/go.mod")
    echo "building \`$name\` (minutes, once for this \`$module/go.sum\`)" >&2
    # `go build` writes its output in the end; the rename makes a half-written program impossible.
    nice -n 19 go -C "$module" build -p "${BUILD_JOBS:-1}" -o "$place/$name.new" "$package"
    mv "$place/$name.new" "$program"
fi
echo "$program"
