#!/bin/sh
# install.sh VENV BIN: links ctl (alias codetether) into BIN with shell completion. install.sh --remove BIN: takes both away.
set -eu
bin=$2
data=${XDG_DATA_HOME:-$HOME/.local/share}
bash_completion=$data/bash-completion/completions/ctl
zsh_completion=$data/zsh/site-functions/_ctl
fish_completion=${XDG_CONFIG_HOME:-$HOME/.config}/fish/completions/ctl.fish

if [ "$1" = --remove ]; then
    for name in ctl codetether; do
        if [ -L "$bin/$name" ]; then rm "$bin/$name"; fi
    done
    rm -f "$bash_completion" "$zsh_completion" "$fish_completion"
    echo "removed ctl and codetether from $bin; runs and settings stay where they are"
    exit 0
fi

target=$(cd "$1/bin" && pwd -P)/ctl
mkdir -p "$bin"
for name in ctl codetether; do
    if [ -e "$bin/$name" ] && [ ! -L "$bin/$name" ]; then
        echo "error: \`$bin/$name\` exists and is not ours; move it away" >&2
        exit 1
    fi
    ln -sf "$target" "$bin/$name"
done
for pair in "bash:$bash_completion" "zsh:$zsh_completion" "fish:$fish_completion"; do
    file=${pair#*:}
    mkdir -p "$(dirname "$file")"
    _CTL_COMPLETE="source_${pair%%:*}" "$target" >"$file" 2>/dev/null || rm -f "$file"
done
echo "linked ctl and codetether into $bin"
case ":$PATH:" in
*":$bin:"*) ;;
*) echo "note: $bin is not on your PATH; add it: export PATH=\"$bin:\$PATH\"" ;;
esac
