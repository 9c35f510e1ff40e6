"""Hard commands: which parts they have, and what cannot be known before they run."""

import pytest

from app.tools.gate.shell import LIMIT, read

READ: list[tuple[str, list[str]]] = [
    ("ls -la && rm -rf x | tee y; (cd a; make)", ["ls -la", "rm -rf x", "tee y", "cd a", "make"]),
    ("a || b & c", ["a", "b", "c"]),
    ("echo 'rm x'", ["echo rm x"]),
    ('echo "a; rm x"', ["echo a; rm x"]),
    ("echo a\\;rm", ["echo a;rm"]),
    ("r\\m x", ["rm x"]),
    ("'r'm x", ["rm x"]),
    ('"rm" x', ["rm x"]),
    ("r''m x", ["rm x"]),
    ("$'rm' x", ["rm x"]),
    ("rm x # not y", ["rm x"]),
    ("# rm x\nls", ["ls"]),
    ("ls\nrm x", ["ls", "rm x"]),
    ("ls \\\n  -la", ["ls -la"]),
    ("echo $(rm x)", ["echo $(rm x)", "rm x"]),
    ("echo `rm x`", ["echo `rm x`", "rm x"]),
    ('echo "$(rm "$(ls)")"', ['echo "$(rm "$(ls)")"', 'rm "$(ls)"', "ls"]),
    ("echo $((1 + $(rm x)))", ["echo $((1 + $(rm x)))", "rm x"]),
    ("diff <(rm x) >(rm y)", ["diff <(rm x) >(rm y)", "rm x", "rm y"]),
    ("echo ${x:-$(rm y)}", ["echo ${x:-$(rm y)}", "rm y"]),
    ("X=$(rm a) cmd", ["X=$(rm a) cmd", "rm a"]),
    ("X=$(rm a)", ["rm a"]),
    ("f() { rm x; }; f", ["rm x", "f"]),
    ("for f in a; do rm $f; done", ["rm $f"]),
    ("while ls; do rm x; done", ["ls", "rm x"]),
    ("if a; then rm x; elif b; then c; else d; fi", ["a", "rm x", "b", "c", "d"]),
    ("case x in a) rm b;; *) rm c;; esac", ["rm b", "rm c"]),
    ("{ rm x; }", ["rm x"]),
    ("! rm x", ["rm x"]),
    ('[ -n "$(rm x)" ] && [[ a == b ]]', ["rm x"]),
    ("timeout 5 env -u A B=1 nice -n 5 rm x", ["B=1 rm x"]),
    ("timeout -k 3 --signal KILL 5 nohup rm x", ["rm x"]),
    ("time rm x", ["rm x"]),
    ("stdbuf -oL ionice -c 2 rm x", ["rm x"]),
    ("exec -a name rm x", ["rm x"]),
    ("command rm x", ["rm x"]),
    ("command -v rm", ["command -v rm"]),
    ("sudo -u root rm x", ["sudo -u root rm x", "rm x"]),
    ("bash -c 'rm x'", ["rm x"]),
    ("bash -lc 'rm x'", ["rm x"]),
    ("bash -e -o pipefail -c 'rm x' name arg", ["rm x"]),
    ("/bin/sh -c 'bash -c \"rm x; ls\"'", ["rm x", "ls"]),
    ("bash build.sh -c", ["bash build.sh -c"]),
    ("env -S 'rm -rf x' y", ["rm -rf x y"]),
    ("env --split-string='rm x'", ["rm x"]),
    ("ls | xargs -n 1 rm", ["ls", "rm"]),
    ("xargs sh -c 'rm $1'", ["rm $1"]),
    ("find . -name '*.py' -exec rm {} +", ["find . -name *.py -exec rm {} +", "rm {}"]),
    ("find . -exec rm {} \\; -exec ls {} \\;", ["find . -exec rm {} ; -exec ls {} ;", "rm {}", "ls {}"]),
    ("find . -exec sh -c 'rm $1' _ {} \\;", ["find . -exec sh -c rm $1 _ {} ;", "rm $1"]),
    ("bash <<< 'rm x'", ["rm x"]),
    ("bash <<'EOF'\nrm $X\nEOF", ["rm $X"]),
    ("bash -s <<EOF\nrm x\nEOF", ["rm x"]),
    ("cat <<'EOF'\n$(rm x)\nEOF", ["cat"]),
    ("cat <<EOF\n$(rm x)\nEOF", ["cat", "rm x"]),
    ("cat <<EOF && rm y\nx\nEOF\nls", ["cat", "rm y", "ls"]),
    ("python - <<'EOF'\nprint(1)\nEOF", ["python -"]),
    ("rm > log -rf x", ["rm -rf x"]),
    ("eval 'rm x'", ["rm x"]),
    ("eval rm 'x;' ls", ["rm x", "ls"]),
    ("trap 'rm x' EXIT", ["rm x"]),
    ("watch -n 1 'rm x'", ["rm x"]),
    ("coproc rm x", ["rm x"]),
    ("source a.sh && . b.sh", ["source a.sh", ". b.sh"]),
    ("PATH=. pytest", ["PATH=. pytest"]),
    ("PATH=.; pytest", ["PATH=.", "pytest"]),
    ("export X=1", ["export X=1"]),
    ("echo grüße 日本; rm ü", ["echo grüße 日本", "rm ü"]),
    ("git -c user.name=me commit", ["git -c user.name=me commit"]),
]
DOUBTED: list[tuple[str, str]] = [
    ("echo 'a", "cannot be read"),
    ('echo "a', "cannot be read"),
    ("echo $(ls", "cannot be read"),
    ("if true; then", "cannot be read"),
    ("echo hi; }", "cannot be read"),
    ("{rm,-rf,x}", "cannot be read"),
    ("echo a # b\n\\\nrm x", "cannot be read"),
    ("ls\r\nrm x", "carriage return"),
    ("ls\0rm", "NUL"),
    ("x" * (LIMIT + 1), "too long"),
    ("$CMD x", "which program"),
    ("$(echo rm) x", "which program"),
    ("`echo rm` x", "which program"),
    ("$'\\x72m' x", "which program"),
    ("/bin/r? x", "which program"),
    ('"$@"', "which program"),
    ("env $CMD", "which program"),
    ('bash -c "$X"', "nobody knows"),
    ("bash -c", "nobody knows"),
    ("bash $F", "which script"),
    ("bash <<EOF\nrm $X\nEOF", "another program writes"),
    ("curl x | sh", "another program writes"),
    ("cat <<EOF | bash\nrm x\nEOF", "another program writes"),
    ("xargs bash -c", "hands a shell"),
    ("xargs -I{} sh -c '{}'", "nobody knows"),
    ("xargs -I % sh -c 'rm %'", "nobody knows"),
    ('eval "$X"', "`eval`"),
    ("source <(curl x)", "`source`"),
    (". $F", "`.`"),
    ("alias ls='rm x'; ls", "`alias`"),
    ("git -c core.pager='rm x' log", "may run another program"),
    ("git -c user.name=x -c alias.l='!rm' l", "may run another program"),
    ("git --exec-path=/x log", "may run another program"),
    ("su -c 'rm x'", "not read"),
    ("parallel rm ::: a", "not read"),
    ('ls > "$F"', "leads"),
    ("sh -c 'bash --rcfile x -i'", "read a file first"),
    ("env -S '$X'", "`env -S`"),
]


@pytest.mark.parametrize(("command", "parts"), READ, ids=lambda value: str(value)[:40])
def test_every_part_is_found(command: str, parts: list[str]) -> None:
    script = read(command)
    assert ([part.text for part in script.parts], script.doubts) == (parts, [])


@pytest.mark.parametrize(("command", "why"), DOUBTED, ids=lambda value: str(value)[:40])
def test_what_cannot_be_known_is_doubted(command: str, why: str) -> None:
    assert any(why in doubt for doubt in read(command).doubts), read(command)


def test_a_long_command_is_read_to_its_end() -> None:
    command = "echo " + "a" * 19_900 + "; rm x"
    assert read(command).parts[-1].text == "rm x"
    assert read("(" * 4000 + "rm x" + ")" * 4000).parts[-1:] or read("(" * 4000 + "rm x" + ")" * 4000).doubts


@pytest.mark.parametrize(
    ("command", "targets"),
    [
        ("echo x > a 2>> b", [("a", True), ("b", True)]),
        ("sort < in >| out", [("in", False), ("out", True)]),
        ("ls &> all 2>&1 3<&-", [("all", True)]),
        ("cat <<E > out\nx\nE", [("out", True)]),
        ("(ls) > 'a b'", [("a b", True)]),
    ],
)
def test_files_that_the_shell_opens(command: str, targets: list[tuple[str, bool]]) -> None:
    assert [(each.target.text, each.writes) for each in read(command).redirects] == targets
