#!/usr/bin/env bash
# Build the distribution, and use it as a stranger would: the wheel alone, outside the clone.
#
#     make release        # takes some 6 GB of disk while it runs, most of it torch
#
# PYTHON is the Python to use it by. OTHER_PYTHON, of an environment that has pyro_gmvae, is asked for
# the answers of a model that the wheel wrote; make release names that of the clone. MORE_PYTHONS names
# further Pythons. Each gets the wheel, one after the other, and must give the answers of the first
# one's model, and the first one those of its model. That takes another 6 GB, once:
#
#     make release MORE_PYTHONS="python3.12 python3.13"
#
# dist/ holds the wheel and the sdist afterwards. The last line says that all went well.
set -euo pipefail
unset PYTHONPATH # pip would take the clone for an installed package
clone=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
say() { printf '\n== %s\n' "$*"; }
pip() { "$1/bin/python" -m pip install --quiet --disable-pip-version-check "${@:2}"; }

say "build, the wheel from the sdist"
"$python" -m venv "$place/tools"
pip "$place/tools" build twine
rm -rf "$clone/dist"
"$place/tools/bin/python" -m build --outdir "$clone/dist" "$clone"
"$place/tools/bin/python" -m twine check --strict "$clone"/dist/*

say "install the wheel alone"
"$python" -m venv "$place/user"
pip "$place/user" "$clone"/dist/*.whl
mkdir "$place/work"
cp -r "$clone"/release/*.py "$clone/tests/helpers/runs_v1" "$place/work"
cd "$place/work" # so that nothing is found in the clone

say "smoke tests"
"$place/user/bin/python" smoke.py runs_v1 written

say "types, by the user's mypy and pyright"
pip "$place/tools" mypy "pyright[nodejs]"
"$place/tools/bin/python" -m mypy --strict --python-executable "$place/user/bin/python" typed_user.py
"$place/tools/bin/python" -m pyright --pythonpath "$place/user/bin/python" typed_user.py
"$place/user/bin/python" typed_user.py

if [[ -n ${OTHER_PYTHON:-} ]]; then
    say "the same answers in another environment"
    "$OTHER_PYTHON" same_answers.py written
else
    say "left out: the same answers in another environment, for OTHER_PYTHON names none"
fi

for other in ${MORE_PYTHONS:-}; do
    version=$("$other" -c 'import platform; print(platform.python_version())')
    say "the wheel alone on Python $version"
    "$other" -m venv "$place/other"
    pip "$place/other" "$clone"/dist/*.whl
    "$place/other/bin/python" smoke.py runs_v1 "written-$version"
    "$place/other/bin/python" typed_user.py
    say "the same answers on both sides of Python $version"
    "$place/other/bin/python" same_answers.py written
    "$place/user/bin/python" same_answers.py "written-$version"
    rm -rf "$place/other"
done

say "the release is whole: $(cd "$clone/dist" && ls | tr '\n' ' ')"
