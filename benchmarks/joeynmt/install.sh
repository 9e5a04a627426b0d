#!/usr/bin/env bash
# install.sh FOLDER: a virtual environment with JoeyNMT 2.3.0 beside ours, whose packages it cannot share.
set -euo pipefail
folder=${1:?usage: install.sh FOLDER (outside the checkout, for example ~/joeynmt-venv)}
here=$(cd "$(dirname "$0")" && pwd)
"${PYTHON:-python3.11}" -m venv "$folder"
"$folder/bin/pip" install -q -r "$here/requirements.txt"
"$folder/bin/pip" install -q --no-deps joeynmt==2.3.0
"$folder/bin/python" -c "import joeynmt.training"
echo "ready: python -m benchmarks --only joey --joeynmt $folder/bin/python"
